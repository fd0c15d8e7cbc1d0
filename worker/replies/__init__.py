"""Replies: prompt, decision, cart and fallback, from a customer's words and a model's answer."""
