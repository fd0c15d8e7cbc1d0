"""Step route_ai: turns that can be answered at once, and turns that must ask a model."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from db import retry
from db.orders import last_orders
from worker.catalog.search import Found
from worker.log import logger
from worker.providers.reply_cache import from_cache, in_own_words
from worker.redisdb.keys import AI_RESPONSE, UNSHARED
from worker.replies.acts import leading_part
from worker.replies.order_status import asks_for_order, order_status
from worker.replies.own_words import CHEAPEST
from worker.session.outcome import Outcome
from worker.session.turn import Turn
from worker.steps.attempts import map_turns, uncount_attempts
from worker.steps.call_leases import extended, lease_of_call_s
from worker.steps.planning import Planner, acted, search_all, without_model
from worker.steps.question import Question, reader_of
from worker.steps.quiet_time import unless_writing
from worker.steps.services import Services

Batch = Sequence[Turn]
log = logger(__name__)


def run(services: Services, batch: Batch, has_room: Callable[[], bool]) -> tuple[list[Turn], list[Turn]]:
    """Routes turns: those that have their outcome (from the reply cache, or needing no model), and those that must ask
    a provider now. Those whose customers may be about to write on wait in PostgreSQL and are in neither.

    Args:
        has_room: whether more turns may wait for a provider; where not, those that would stay with their leases, and
            the sweep brings them again.
    """
    now = datetime.now(UTC)
    limited, whole = _split(batch)
    others = map_turns(services, whole, leading_part)
    questions = read(services, others)
    asked = [turn for turn in others if turn.token in questions]
    shop = services.shop
    canned, going = _split(
        map_turns(services, asked, lambda turn: without_model(turn, questions[turn.token], shop, now))
    )
    found = search_all(services.catalog, ((turn, questions[turn.token]) for turn in going))
    done, asking = _split(map_turns(services, going, lambda turn: acted(turn, questions[turn.token], shop, found)))
    done = unless_taken_back(services, done)
    told, asking = _split(about_orders(services, asking))
    answered, missed = _split(from_cache(plan(services, asking, questions, found, now), services.cache))
    compared, missed = _split(compared_by_price(services, missed))
    asking = lease_for_call(services, unless_writing(services, missed), has_room)
    return [*limited, *canned, *done, *told, *answered, *compared], asking


def _split(turns: Batch) -> tuple[list[Turn], list[Turn]]:
    return [turn for turn in turns if turn.outcome], [turn for turn in turns if not turn.outcome]


def unless_taken_back(services: Services, done: Batch) -> list[Turn]:
    """The turns that go on now. A written yes that places an order waits for quiet first, as many a sentence comes in
    parts ("sí", "pero sin el pan"); a tap is whole.
    """
    yes = [turn for turn in done if turn.decided().decision.effects.orders and not turn.is_tapped]
    waiting = {turn.token for turn in yes} - {turn.token for turn in unless_writing(services, yes)}
    return [turn for turn in done if turn.token not in waiting]


def read(services: Services, turns: Batch) -> dict[str, Question]:
    """Meanings of the turns' texts, by token."""
    if not turns:
        return {}
    reader = reader_of(services.catalog.product_words())
    questions = dict(map_turns(services, turns, lambda turn: (turn.token, reader.question(turn))))
    for question in questions.values():
        if question.unshared:
            services.cache.count(UNSHARED.format(question.unshared))
    return questions


def about_orders(services: Services, turns: Batch) -> list[Turn]:
    """The turns, with their outcome where they ask for an order that there is; one query for all who ask."""
    phones = {turn.customer_phone for turn in turns if turn.text and asks_for_order(turn.normalised)}
    if not phones:
        return list(turns)
    rows = retry.run(services.engine, lambda connection: last_orders(connection, phones))
    orders = {row["customer_phone"]: row for row in rows}

    def answered(turn: Turn) -> Turn:
        order = orders.get(turn.customer_phone) if asks_for_order(turn.normalised) else None
        return replace(turn, outcome=Outcome("canned", order_status(services.shop, order))) if order else turn

    return map_turns(services, turns, answered)


def plan(
    services: Services, turns: Batch, questions: Mapping[str, Question], found: Found, now: datetime
) -> list[Turn]:
    """Turns with their rendered requests; the categories are read once. found: products of all searches."""
    if not turns:
        return []
    categories = services.catalog.categories(max(turn.catalog_version for turn in turns))
    planner = Planner(services.shop, categories, found, services.shop.now_facts(now))
    return map_turns(services, turns, lambda turn: planner.planned(turn, questions[turn.token]))


def lease_for_call(services: Services, missed: Batch, has_room: Callable[[], bool]) -> list[Turn]:
    """Leases turns for queue `ai`: those that are still ours. Waiting is no attempt. has_room: as `run` has it."""
    if not missed:
        return []
    waiting = uncount_attempts(services, missed)
    if not has_room():
        log.warning("calls_postponed", turns=len(waiting))
        return []
    held = extended(services.engine, waiting, lease_of_call_s(services.settings.ai_deadline_s))
    return [turn for turn in waiting if turn.token in held]


def compared_by_price(services: Services, turns: Batch) -> list[Turn]:
    """The turns, with their outcome where the catalogue says completely what is cheaper: of two things there are too
    many pairs to have all replies ahead. Whoever asks next has it from the cache.
    """
    plans = {turn.planned().key: turn.planned() for turn in turns if CHEAPEST.fullmatch(turn.planned().form)}
    entries = {key: entry for key, plan in plans.items() if (entry := in_own_words(services.shop, plan))}
    if not entries:
        return list(turns)
    services.cache.set_many(AI_RESPONSE, msgspec.to_builtins(entries))
    outcomes = {key: Outcome("canned", entry.decision) for key, entry in entries.items()}
    return [replace(turn, outcome=outcomes.get(turn.planned().key)) for turn in turns]
