"""Telemetry of turns and calls: metrics, traces, the report."""
