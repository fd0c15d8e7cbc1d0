"""`chasqui dashboard` that looks again sooner and loses patience sooner, so that tests wait less for it."""

from __future__ import annotations

from dataclasses import replace

from worker.operate.cli import main
from worker.operate.dashboard import feed, page, server

if __name__ == "__main__":
    page.REFRESH_S = 1.0
    feed.NOW_S = feed.COSTS_S = feed.RETRY_S = 0.5
    feed.PATIENCE_S, feed.HOPELESS_S = 1.0, 4.0
    server.STATEMENT_TIMEOUT_MS = 2_000
    page.RANGES |= {name: replace(span, every_s=0.5) for name, span in page.RANGES.items()}
    page.DEFAULT = page.RANGES[page.DEFAULT.name]
    main(["dashboard"])
