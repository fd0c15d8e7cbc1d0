"""PostgreSQL and Redis started from Python wheels."""
