"""Intake from the inbound stream into PostgreSQL, and the sweep for what was lost."""
