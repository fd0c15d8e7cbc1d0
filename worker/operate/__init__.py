"""Operators' tools: commands, checks, dashboard, metrics, erasure."""
