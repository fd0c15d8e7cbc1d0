"""Chasqui: answers a supermarket's WhatsApp customers from a message queue."""

__version__ = "0.1.0"
