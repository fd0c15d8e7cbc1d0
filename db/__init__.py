"""PostgreSQL, the truth: engine, schema, and one named function per statement. Never imports `worker`."""
