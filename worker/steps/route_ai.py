"""Step route_ai: turns that can be answered at once, and turns that must ask a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from worker.providers.reply_cache import from_cache
from worker.session.turn import Turn
from worker.steps.attempts import map_turns
from worker.steps.call_provider import lease_for_call
from worker.steps.planning import Planner, Question, reader_of, search_all, without_model
from worker.steps.services import Services

Batch = Sequence[Turn]


def run(services: Services, batch: Batch, has_room: Callable[[], bool]) -> tuple[list[Turn], list[Turn]]:
    """Routes turns: those that have their outcome (from the reply cache, or needing no model), and those that must ask
    a provider.

    Args:
        has_room: whether more turns may wait for a provider; where not, those that would stay with their leases, and
            the sweep brings them again.
    """
    now = datetime.now(UTC)
    limited, others = _split(batch)
    questions = read(services, others)
    asked = [turn for turn in others if turn.token in questions]
    canned, asking = _split(map_turns(services, asked, lambda turn: without_model(turn, questions[turn.token], now)))
    answered, missed = _split(from_cache(plan(services, asking, questions), services.cache))
    return [*limited, *canned, *answered], lease_for_call(services, missed, has_room)


def _split(turns: Batch) -> tuple[list[Turn], list[Turn]]:
    """Turns with an outcome, and turns without."""
    return [turn for turn in turns if turn.outcome], [turn for turn in turns if not turn.outcome]


def read(services: Services, turns: Batch) -> dict[str, Question]:
    """Meanings of the turns' texts, by token."""
    if not turns:
        return {}
    reader = reader_of(services.catalog.product_words())
    return dict(map_turns(services, turns, lambda turn: (turn.token, reader.question(turn))))


def plan(services: Services, turns: Batch, questions: Mapping[str, Question]) -> list[Turn]:
    """Turns with their rendered requests: categories once, all product searches of the batch together."""
    if not turns:
        return []
    categories = services.catalog.categories(max(turn.catalog_version for turn in turns))
    found = search_all(services.catalog, ((turn, questions[turn.token]) for turn in turns))
    planner = Planner(services.settings.shop_name, categories, found)
    return map_turns(services, turns, lambda turn: planner.planned(turn, questions[turn.token]))
