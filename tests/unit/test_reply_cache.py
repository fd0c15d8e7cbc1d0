"""What of an outcome may be said again: a model's own answer, and nothing that calls somebody."""

from __future__ import annotations

from helpers.turns import decided

from worker.providers.reply_cache import cacheable
from worker.session.outcome import Decision, Outcome


def test_no_call_for_a_person_is_cached() -> None:
    """It would call one for everybody who asks the same; nor is anything but a model's own answer."""
    assert cacheable(decided(requires_human=True)) is None
    for source in ("cache", "fallback", "canned", "closed"):
        assert cacheable(decided(source)) is None
    entry = cacheable(decided())
    assert entry is not None
    assert entry.outcome().decision == decided().decision
    assert cacheable(Outcome("ai", Decision(reply="x"))) is not None
