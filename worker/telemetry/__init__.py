"""What is recorded of turns and calls: metrics, traces, the report."""
