"""What a turn's calls have cost, in all and by provider, on its way to `ai_metrics`."""

from __future__ import annotations

from msgspec.structs import replace
from turns import MILK, planned, turn_of

from worker.metrics.record import metrics_row, stored_outcome
from worker.providers.providers_file import load_providers
from worker.providers.spending import NOTHING, spent_on
from worker.session.turn import Outcome, turn_from_dict, turn_to_dict
from worker.settings import read_settings
from worker.usage import Usage

GEMINI, DEEPSEEK, _ = load_providers(read_settings({}))
USAGE = Usage(prompt_tokens=1_000, completion_tokens=100)


def test_costs_add_up_by_provider() -> None:
    """Each provider's calls on its own account; those that cost nothing are not there."""
    spent = sum([spent_on(GEMINI, USAGE), spent_on(DEEPSEEK, USAGE), spent_on(GEMINI, USAGE)], NOTHING)
    assert spent.calls == 3
    assert spent.by_provider == {"gemini-flash": 280, "deepseek": 322}
    assert spent.cost_microusd == 280 + 322
    assert (spent + spent_on(DEEPSEEK, None)).by_provider == spent.by_provider
    assert spent_on(DEEPSEEK, None).by_provider == {}
    assert NOTHING.by_provider == {}


def test_shares_are_kept_only_where_somebody_else_was_paid() -> None:
    """The usual turn has nothing to add to its provider and its cost."""
    alone, both = spent_on(GEMINI, USAGE), spent_on(GEMINI, USAGE) + spent_on(DEEPSEEK, USAGE)
    assert alone.shares("gemini-flash") is None
    assert NOTHING.shares("gemini-flash") is None
    assert alone.shares("deepseek") == alone.shares(None) == {"gemini-flash": 140}
    assert both.shares("deepseek") == {"gemini-flash": 140, "deepseek": 322}


def test_shares_reach_the_row_that_is_recorded() -> None:
    """Through the chain's JSON and what is kept with the reply."""
    shares = {"gemini-flash": 140, "deepseek": 322}
    outcome = Outcome("ai", {"intent": "greeting"}, "deepseek", cost_microusd=462, cost_by_provider=shares)
    turn = turn_from_dict(turn_to_dict(replace(planned(turn_of(), MILK), outcome=outcome)))
    assert metrics_row("id", stored_outcome(turn), 1, committed=True)["cost_by_provider"] == shares
