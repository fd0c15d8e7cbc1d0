"""Simulator of the providers, demo and sample catalogue, for trials without a provider."""
