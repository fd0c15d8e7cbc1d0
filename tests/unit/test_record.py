"""What is kept of a decided turn: enough to record its costs, and to find its reply in the cache again."""

from __future__ import annotations

import pytest
from helpers.turns import decided, plan_of, turn_of
from msgspec.structs import replace

from worker.telemetry.recording import metrics_row


@pytest.mark.parametrize("shared", [True, False])
def test_the_key_of_a_reply_that_holds_a_session_is_kept(shared: bool) -> None:
    """An erasure needs it; a reply that anybody may get is nobody's."""
    plan = plan_of("hola", shared=shared)
    kept = replace(turn_of(), plan=plan, outcome=decided()).stored_outcome()
    assert kept.reply_key == (None if shared else plan.key)
    assert "reply_key" not in metrics_row("r1", kept, 1, committed=True)


def test_a_turn_without_a_plan_has_no_key() -> None:
    """Nothing was looked for in the cache."""
    assert replace(turn_of(), outcome=decided("canned")).stored_outcome().reply_key is None
