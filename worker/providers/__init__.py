"""The language models: dispatch, completion, paid calls, HTTP client, circuits, budget, prices and wires."""
