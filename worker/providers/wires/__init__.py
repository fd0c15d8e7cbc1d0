"""The wire formats of the providers: how a request is built and an answer read."""
