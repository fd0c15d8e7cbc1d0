"""The dashboard in a real browser: what it draws, how it looks, and that its numbers are those of the report."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis
from helpers.basics import EMPTY, REPOSITORY, Servers
from helpers.command_line import run
from helpers.dashboard_browser import Visit, wait_for
from helpers.dashboard_rows import PHONE_PREFIX, SENTENCE, fill
from sqlalchemy import Engine

from db import queries
from worker.operate.display import dollars
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import CACHE_COUNTS, CIRCUIT, INBOUND, MODEL_CIRCUIT

HOUR_S, DAY_S = 3_600, 86_400
CHARTS = {
    "Messages per minute": {"--amber", "--blue", "--grey", "--teal"},
    "Reply time": {"--blue", "--teal", "--violet"},
    "Cache hits": {"--blue", "--teal"},
    "Cost": {"--blue", "--grey"},
    "Expired sessions per hour": {"--grey"},
}
#: In the words of a provider, which the page shows as text.
TOLD = "The model <b>has been deprecated</b>"


@pytest.fixture(scope="module")
def busy(shared_engine: Engine, servers: Servers) -> Iterator[redis.Redis]:
    """A day of 4,000 messages, three that wait, four dead letters; circuits open in Redis, one payload unread."""
    with shared_engine.connect() as connection:
        connection.execute(EMPTY)
        fill(connection, 4_000, DAY_S, waiting=3, dead=4)
    client = connect_redis(servers.redis_url, timeout_s=5.0)
    client.flushall()
    now_ms = int(time.time() * 1000)
    # 4 hours ago, and in 9.5: words that stay the same for as long as the tests last.
    times = {"since_ms": now_ms - 14_400_000, "until_ms": now_ms + 34_200_000}
    state = times | {"state": "open", "reason": "timeout"}
    client.hset(CIRCUIT.key("gpt"), mapping=state)
    gone = state | {"reason": "model_gone", "told": TOLD}
    client.hset(MODEL_CIRCUIT.key("gpt:gpt-6-luna"), mapping=gone)
    rerouted = {"answered_by": "deepseek-v5", "answered_at": now_ms // 1000}
    client.hset(MODEL_CIRCUIT.key("deepseek:deepseek-flash"), mapping=rerouted)
    counts = {"session:hits": 870, "session:misses": 130, "ai_response:hits": 760, "ai_response:misses": 240}
    client.hset(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime())), mapping=counts)
    client.xadd(INBOUND.pattern, {"payload": "{}"})
    yield client
    client.close()


@pytest.fixture
def page(visit: Visit, busy: redis.Redis) -> Visit:
    """The page of the busy day, with its figures."""
    visit.open("/?range=24h")
    visit.wait_for_figures()
    wait_for(lambda: visit.tile("Messages answered")[1] > "3,900", explain=visit.text)
    return visit


def report(urls: Mapping[str, str], window_s: int) -> dict[str, Any]:
    """What `chasqui report` says."""
    done = run(REPOSITORY, "report", "--json", "--window", str(window_s), **urls)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_figures_are_those_of_the_report(page: Visit, urls: Mapping[str, str], shared_engine: Engine) -> None:
    """Every headline, provider, session and cost figure, for the same window; this day and this month too."""
    # The last 24 hours move on: both are read until they are of one moment.
    wait_for(lambda: headline(page) == told_headline(report(urls, DAY_S)), explain=page.text)
    told = report(urls, DAY_S)
    for name in told["ai"]["ai_provider_distribution"]:
        wait_for_provider(page, urls, name)
    cleaned = told["sessions"]["expired_sessions_cleaned"]
    page.wait_for_card("Sessions", f"Expired in this time\n{cleaned:,}")
    with shared_engine.connect() as connection:
        month, day = (amount / 1e6 for amount in queries.spent_microusd(connection))
    page.wait_for_card("Spending", f"Today\n{dollars(day)}\nof $5.00", f"This month\n{dollars(month)}\nof $50.00")


def headline(page: Visit) -> list[str]:
    """The headline figures as they are shown."""
    names = ("Messages answered", "Reply time p95", "Replies from the cache", "Cost", "Active sessions")
    shown = {name: page.tile(name) for name in names}
    both = [*shown["Replies from the cache"][1:], *shown["Cost"][1:]]
    return [shown["Messages answered"][1], shown["Reply time p95"][1], *both, shown["Active sessions"][1]]


def told_headline(told: Mapping[str, Any]) -> list[str]:
    """The same figures of a report, in the page's words."""
    ai, sessions, costs, latency = (told[name] for name in ("ai", "sessions", "costs", "latency_ms"))
    return [
        f"{told['messages']:,}",
        f"{latency['p95'] / 1000:.2f} s",
        f"{ai['ai_cache_hit_rate']:.1f} %",
        f"session cache {sessions['session_cache_hit_rate']:.1f} %",
        f"${costs['total_usd']:.4f}",
        f"{costs['reduction']:.1f} % saved of ${costs['baseline_usd']:.4f}",
        f"{sessions['active_sessions']:,}",
    ]


def wait_for_provider(page: Visit, urls: Mapping[str, str], name: str) -> None:
    """Returns when the card has a provider's share and cost as the report does."""

    def agrees() -> bool:
        told, shown = report(urls, DAY_S), page.card("Providers").text
        share, cost = told["ai"]["ai_provider_distribution"][name], told["costs"]["by_provider_usd"][name]
        return f"{name}\n{share:.1f} %" in shown and f"${cost:.4f}" in shown

    wait_for(agrees, explain=page.text)


def test_what_is_wrong_is_said_first_and_shown_in_full(page: Visit) -> None:
    """Open circuits, models that are gone or rerouted, dead letters and what waits, in words."""
    for words in (
        "gpt is left alone: circuit open for 4",
        "gpt/gpt-6-luna is left alone: circuit open for 4",
        f"“{TOLD}”",
        "deepseek/deepseek-flash is answered by deepseek-v5, at another price.",
        "4 dead letters wait for a decision.",
        "Needs a look",
    ):
        page.wait_for_text(words)
    page.wait_for_card(
        "Circuits", "deepseek\nclosed\ncalls go through", "gpt\nopen\nfor 4", "(timeout) · next try in 9"
    )
    page.wait_for_card("Circuits", "gpt-6-luna\nopen\nfor 4", TOLD, "gpt-6.1-terra\nclosed\nmay be asked")
    page.wait_for_card("Circuits", "deepseek-flash\nclosed\nanswered by deepseek-v5")
    assert len(page.all(".change .badge.bad")) == 3
    page.wait_for_card("Backlog", "Not read yet (inbound stream)\n1", "Accepted, unanswered\n3")
    page.wait_for_card("Cache hits", "session\n87.0 %\n870 of 1,000", "ai response\n76.0 %\n760 of 1,000")
    page.wait_for_card("Cache hits", "categories\n–\nnothing looked for yet")


def test_it_draws_asks_nobody_else_and_shows_nobodys_words(page: Visit) -> None:
    """Each series in its colour, without a complaint of the browser; everything comes from the dashboard itself; no
    phone, no text and no message id is in what is seen or in what the page is made of.
    """
    for chart, colours in CHARTS.items():
        wait_for(lambda chart=chart, colours=colours: colours <= set(page.drawn(chart)), explain=lambda c=chart: c)
    assert page.complaints() == []
    asked = page.requests()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((page.url, page.url.replace("http", "ws")))] == []
    page.wait_for_card("Dead letters", "…9004", "OperationalError")
    for secret in (PHONE_PREFIX, SENTENCE, "wamid."):
        assert secret not in page.source()
        assert secret not in page.text()


def test_it_is_live_and_shows_another_time(page: Visit, busy: redis.Redis, urls: Mapping[str, str]) -> None:
    """What changes shows without a reload, and nothing that stays is drawn anew. Another time is marked, kept in the
    address, and its figures are the report's.
    """
    # A figure may move by itself meanwhile, as the last 24 hours do; not each time.
    assert any(nothing_else_is_drawn_anew(page, busy, number) for number in (2, 3, 4))
    busy.xdel(INBOUND.pattern, *[entry for entry, _ in busy.xrange(INBOUND.pattern)[1:]])
    page.press("1 h")
    hour = wait_for(lambda: "," not in (shown := page.tile("Messages answered")[1]) and shown)
    assert abs(int(hour) - report(urls, HOUR_S)["messages"]) <= 2
    for _ in range(2):
        assert page.find(".ranges [aria-pressed=true]").text == "1 h"
        assert page.driver.current_url.endswith("/?range=1h")
        page.driver.refresh()
        page.wait_for_figures()


def nothing_else_is_drawn_anew(page: Visit, busy: redis.Redis, number: int) -> bool:
    """Whether tiles, cards and charts are still the same elements when one more message waits, `number` in all."""
    page.driver.execute_script("document.querySelectorAll('.tile, .card, svg').forEach(e => e.dataset.kept = 'yes')")
    busy.xadd(INBOUND.pattern, {"payload": "{}"})
    page.wait_for_card("Backlog", f"Not read yet (inbound stream)\n{number}")
    kept = "return document.querySelectorAll('.tile:not([data-kept]), .card:not([data-kept]), svg:not([data-kept])')"
    return bool(page.driver.execute_script(f"{kept}.length") == 0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_follows_the_system(visit: Visit, busy: redis.Redis, width: int, dark: bool) -> None:
    """Nothing sticks out at either width; light or dark as the system says. The picture is kept."""
    visit.open(width=width, dark=dark)
    visit.wait_for_figures()
    wait_for(lambda: CHARTS["Cost"] <= set(visit.drawn("Cost")))
    visit.screenshot(f"{'dark' if dark else 'light'}-{width}")
    assert visit.driver.execute_script("return document.documentElement.scrollWidth") == width
    assert (brightness(visit) < 60) == dark


def test_the_theme_can_be_chosen(page: Visit) -> None:
    """System, light, dark by the switch, remembered over a reload."""
    for is_dark in (False, True):
        page.find(".theme").click()
        wait_for(lambda is_dark=is_dark: (brightness(page) < 60) == is_dark)
    page.driver.refresh()
    page.wait_for_figures()
    assert brightness(page) < 60
    page.find(".theme").click()
    wait_for(lambda: brightness(page) > 200)


def brightness(visit: Visit) -> int:
    """How light the page's background is, 0 to 255."""
    colour: str = visit.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", colour)[:3])
