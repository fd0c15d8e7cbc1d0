"""Replies of our own words, made ahead: what they are made for, what is left to a model, and that they are true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from helpers.answering import calls
from helpers.asked import AskedShop, asked_shop
from helpers.factories import product
from sqlalchemy import Engine

from db.products import put_products
from worker.devkit.simulator import Simulator
from worker.precache.own_replies import make_own
from worker.redisdb.keys import OWN_REPLIES
from worker.settings import Settings
from worker.steps.route_ai import compared_by_price


@pytest.fixture
def shop(
    settings_here: Settings, redis_client: redis.Redis, engine: Engine, simulator: Simulator
) -> Iterator[AskedShop]:
    """A shop that nobody has asked for anything."""
    with asked_shop(settings_here, engine, simulator.base_urls) as made:
        yield made


def made(shop: AskedShop) -> int:
    """One run of beat's task."""
    return make_own(shop.services, lambda: True)


def test_a_product_is_answered_before_anybody_asks(shop: AskedShop, simulator: Simulator) -> None:
    """By the words of its name, with its price, and by no model."""
    before = calls(simulator)
    assert made(shop) > 0
    for words in ("hola, tenés leche?", "cuánto sale la leche entera?"):
        outcome = shop.routed(words).decided()
        assert (outcome.source, outcome.provider, outcome.decision.intent) == ("cache", None, "search_product")
        assert "Leche entera" in outcome.decision.reply
        assert outcome.baseline_microusd > 0
    assert calls(simulator) == before


def test_a_changed_price_is_told(shop: AskedShop) -> None:
    """The old reply has another key."""
    made(shop)
    assert "1.999" not in shop.routed("tenés leche?").decided().decision.reply
    shop.reprice("1999.00")
    assert shop.routed("tenés leche?").outcome is None
    made(shop)
    assert "1.999" in shop.routed("tenés leche?").decided().decision.reply


@pytest.mark.parametrize(
    "words", ["qué leche me recomendás?", "tenés leche y arroz?", "tenés leche sin lactosa?", "tenés leche de cabra?"]
)
def test_what_the_catalogue_does_not_answer_is_for_a_model(shop: AskedShop, words: str) -> None:
    """Advice, two things at once, and what is not in every name that was found."""
    made(shop)
    shop.was_asked("tenes leche sin lactosa y a que precio")
    shop.was_asked("tenes leche de cabra y a que precio")
    shop.services.redis.delete(*shop.services.redis.keys(OWN_REPLIES.key("*")))
    made(shop)
    assert shop.routed(words).outcome is None


def test_a_thing_is_found_under_each_of_its_names(shop: AskedShop) -> None:
    """What begins with it, however the shop spells it; what only has it in its name is not meant."""
    with shop.engine.begin() as connection:
        names = ("Zumo de naranja", "Piña en su jugo")
        put_products(connection, [product(str(number), name) for number, name in enumerate(names, 7)])
    made(shop)
    for words in ("venden zumo?", "tenés jugo?"):
        told = shop.routed(words).decided().decision.reply
        assert "Zumo de naranja" in told
        assert "Piña" not in told


def test_what_is_cheaper_needs_no_model_whatever_is_compared(shop: AskedShop, simulator: Simulator) -> None:
    """At the first time too, and from the cache from then on; a comparison of anything else is for a model."""
    before = calls(simulator)
    shop.reprice("150.00")
    (first,) = compared_by_price(shop.services, [shop.planned("qué conviene más, leche o arroz?")])
    assert first.decided().source == "canned"
    assert "menor precio" in first.decided().decision.reply
    again = shop.routed("cuál es más barato, el arroz o la leche?").decided()
    assert (again.source, again.decision) == ("cache", first.decided().decision)
    for words in ("qué diferencia hay entre la leche y el arroz?", "tenés leche?"):
        assert compared_by_price(shop.services, [shop.planned(words)])[0].outcome is None
    assert calls(simulator) == before


def test_the_cheapest_of_many_is_found(shop: AskedShop) -> None:
    """Although a search shows five."""
    with shop.engine.begin() as connection:
        names = [(str(number), f"Leche número {number}") for number in range(10, 30)]
        put_products(connection, [product(sku, name, price=str(99 - int(sku))) for sku, name in names])
    (turn,) = compared_by_price(shop.services, [shop.planned("cuál es la leche más barata?")])
    reply = turn.decided().decision.reply
    assert "El de menor precio: Leche número 29" in reply
    assert turn.planned().terms == ("leche",)


def test_a_kilo_is_no_cheaper_or_dearer_than_a_piece(shop: AskedShop) -> None:
    """However many pieces cost less."""
    with shop.engine.begin() as connection:
        names = [(str(number), f"Queso número {number}") for number in range(10, 30)]
        put_products(connection, [product(sku, name, price=sku) for sku, name in names])
        put_products(connection, [product("40", "Queso al corte", price="9000", unit="kg", step="0.1")])
    (turn,) = compared_by_price(shop.services, [shop.planned("cuál es el queso más barato?")])
    reply = turn.decided().decision.reply
    assert "Queso número 10" in reply
    assert "Queso al corte" in reply
    assert "menor precio" not in reply


def test_what_was_compared_is_there_again_after_a_change(shop: AskedShop) -> None:
    """Made ahead in our own words, without money."""
    shop.was_asked("que es mas barato, arroz o leche")
    assert shop.make_ahead() == 0
    made(shop)
    assert shop.routed("qué conviene más, leche o arroz?").decided().source == "cache"


def test_what_is_sold_out_is_for_a_model(shop: AskedShop) -> None:
    """It offers something else."""
    with shop.engine.begin() as connection:
        put_products(connection, [product("1", "Leche entera", stock="0")])
    made(shop)
    assert shop.routed("tenés leche?").outcome is None


def test_it_is_done_once_and_goes_on_where_it_stopped(shop: AskedShop) -> None:
    """A customer's call goes before."""
    assert make_own(shop.services, iter([True, False]).__next__) == 0
    assert made(shop) > 0
    assert made(shop) == 0


@pytest.mark.usefixtures("redis_client")
def test_it_needs_no_money(settings_here: Settings, engine: Engine, simulator: Simulator) -> None:
    """A shop that cost nothing yesterday has replies of its own words from its first day."""
    with asked_shop(settings_here, engine, simulator.base_urls, PRECACHE_DAILY_USD="") as shop:
        assert shop.make_ahead() == 0
        assert made(shop) > 0


@pytest.mark.usefixtures("redis_client")
def test_it_is_off_with_the_rest(settings_here: Settings, engine: Engine, simulator: Simulator) -> None:
    """PRECACHE_DAILY_USD=0."""
    with asked_shop(settings_here, engine, simulator.base_urls, PRECACHE_DAILY_USD="0") as shop:
        assert made(shop) == 0
