"""What tests share besides fixtures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
EMPTY = text("""
    truncate categories, products, customers, customer_sessions, orders, order_items, messages, turns, ai_metrics,
        events restart identity cascade
""")


@dataclass(frozen=True, slots=True)
class Servers:
    """URLs of the servers of this test run, and the directory they live in."""

    database_url: str
    redis_url: str
    directory: Path
