"""Commands of `chasqui`: one file per noun, put together in `worker.operate.cli`."""
