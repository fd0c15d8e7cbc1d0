"""What operators use: commands, checks, dashboard, metrics, erasure."""
