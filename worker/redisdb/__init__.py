"""Redis: keys, the cache, streams and connections."""
