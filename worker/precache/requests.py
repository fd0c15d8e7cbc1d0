"""Requests that are likely to be made and have no reply: rendered as they would be now, the likeliest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from sqlalchemy import Connection

from db import requests as asked
from worker.language.classifier import COMPLEX, MEDIUM, SIMPLE, complexity
from worker.precache.forecast import DayCount, Follower, History, chance, forecast
from worker.precache.price_hours import horizon_h
from worker.providers.reply_cache import in_own_words
from worker.redisdb.keys import AI_RESPONSE
from worker.session.turn import Plan
from worker.steps.planning import Planner
from worker.steps.question import reader_of
from worker.steps.services import Services

#: What is asked with a smaller chance is left to whoever asks it.
LEAST_CHANCE = 0.4
#: What people ask more often: what has become cheaper, or dearer, within so many hours.
FELL, ROSE, CHANGED_H = 1.5, 1.2, 48
#: Answered ahead so many times in a row for nothing, a form is left alone for so many days.
WASTED, REST_DAYS = 3, 14
#: Forms rendered at a time.
CHUNK = 100


class Likely(Struct, frozen=True):
    """A form and how often it is expected to be asked while its reply would be kept."""

    form_key: str
    form: str
    expected: float


def history_of(connection: Connection, horizon: int) -> History:
    """Reads what the shop was asked, for a forecast of so many hours."""
    recent, recent_h = asked.recent(connection)
    return History(
        asked.span_h(connection),
        [DayCount(*row) for row in asked.days(connection, horizon)],
        [Follower(*row) for row in asked.followers(connection)],
        recent,
        recent_h,
    )


def likely(services: Services, connection: Connection, now: datetime) -> list[Likely]:
    """Forms that are likely to be asked, the likeliest first, without those that were answered ahead in vain."""
    hours = {name: horizon_h(services.providers, name, now) for name in (SIMPLE, MEDIUM, COMPLEX)}
    expected = {horizon: forecast(history_of(connection, horizon), horizon) for horizon in {*hours.values()} - {0}}
    keys = set().union(*expected.values()) - asked.resting(connection, WASTED, REST_DAYS)
    found = [
        Likely(key, form, expected[hours[kind]].get(key, 0.0))
        for key, form in asked.forms(connection, sorted(keys)).items()
        if hours[kind := complexity(form)]
    ]
    return sorted((one for one in found if is_likely(one.expected * FELL)), key=lambda one: (-one.expected, one.form))


def is_likely(expected: float) -> bool:
    """Returns whether it is worth a call now."""
    return chance(expected) >= LEAST_CHANCE


def missing(services: Services, connection: Connection) -> Iterator[tuple[str, Plan]]:
    """Yields form keys and plans of likely requests that need a model and have no reply, as the shop and its prices are
    when each portion is looked at. Replies that there are stay for another day; nothing is missing while the cache is
    away.
    """
    now = datetime.now(UTC)
    forms = likely(services, connection, now)
    lately = asked.made_lately(connection)
    fell = asked.changed_prices(connection, CHANGED_H)
    for first in range(0, len(forms), CHUNK):
        plans = _wanted(services, connection, forms[first : first + CHUNK], fell)
        there = services.cache.renew(AI_RESPONSE, [plan.key for plan in plans.values()])
        if there is None:
            return
        for form_key, plan in plans.items():
            if plan.key not in there and plan.key not in lately and not in_own_words(services.shop, plan):
                yield form_key, plan


def _wanted(
    services: Services, connection: Connection, forms: Sequence[Likely], fell: Mapping[int, bool]
) -> dict[str, Plan]:
    """Plans of forms by key, without those that are not likely enough."""
    plans = rendered(services, connection, [one.form for one in forms])
    return {
        one.form_key: plans[one.form] for one in forms if is_likely(one.expected * _interest(plans[one.form], fell))
    }


def rendered(services: Services, connection: Connection, forms: Sequence[str]) -> dict[str, Plan]:
    """Plans of forms, as they are rendered now."""
    version = asked.catalog_version(connection)
    reader = reader_of(services.catalog.product_words())
    questions = {form: reader.of_form(form) for form in forms}
    found = services.catalog.search(dict.fromkeys((term for q in questions.values() for term in q.searches), version))
    now_facts = services.shop.now_facts(datetime.now(UTC))
    planner = Planner(services.shop, services.catalog.categories(version), found, now_facts)
    return {form: planner.shared_plan(question, form) for form, question in questions.items()}


def _interest(plan: Plan, fell: Mapping[int, bool]) -> float:
    """Returns how many times as often a request is made while prices of its products are news."""
    news = {fell[product.id] for product in plan.products if product.id in fell}
    return FELL if True in news else ROSE if news else 1.0
