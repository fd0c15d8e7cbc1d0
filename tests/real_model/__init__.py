"""The whole service with a real, small language model behind a real OpenAI-compatible server: `make real-model`."""
