"""The language models: which there are, how one is called, and who answers a turn."""
