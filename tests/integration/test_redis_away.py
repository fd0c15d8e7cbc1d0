"""Every caller of Redis while it is away: one that refuses connections, and one that takes them and never answers.

A caller either answers as its row says and leaves a line in the log, or raises, so that whoever called it waits or
leaves it to the sweep. A module that begins to use a client, or a function that begins to catch RedisError, has to be
put into one of the tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
import redis
from helpers.away import refusing_port, silent_port
from helpers.basics import GUARD_S, REPOSITORY
from helpers.one_batch import OneBatch
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from worker.celery_ext.active_beat import Lease
from worker.errors import ProviderTimeout
from worker.intake import intake as intake_module
from worker.intake.held_back import HeldBack
from worker.intake.intake import Intake
from worker.intake.invalidation import invalidate
from worker.precache.allowance import Allowance
from worker.providers.budget import Budget, BudgetLimits, Reservation
from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_rules import Permit
from worker.providers.circuit_states import read_circuits
from worker.providers.models import Price
from worker.providers.probe import Prober, read_probes
from worker.providers.providers_file import load_providers
from worker.providers.single_flight import EndRequest, JoinRequest, JoinResult, SingleFlight
from worker.redisdb.cache import Cache, read_size
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import AI_RESPONSE, LIMITED, REPLY_LIMIT, SESSION
from worker.redisdb.restarts import RestartWatch
from worker.redisdb.streams import Entry, Streams
from worker.replies.prompt import AiRequest
from worker.runtime.embedded.processes import wait_until
from worker.settings import read_settings
from worker.shop.shop import Shop
from worker.steps.services import Services
from worker.telemetry.recording import count_call, note_run

PHONE, NAME = "5491122334455", "deepseek"
REPLY = {"reply_id": "r1", "to": PHONE, "text": "hola"}
ORDER_EVENT = {"event_id": "e1", "event": "placed"}
LEAD = JoinResult("lead")
PERMIT, RESERVED = Permit(NAME, PHONE, 1), Reservation("id", 1, ("2026-11", "2026-11-22"))
PRICE = Price(Decimal(1), Decimal(1), Decimal(1), Decimal(1))
TIMEOUT_S = 0.1
Call = Callable[[redis.Redis], object]


class Raises:
    """In the place of an answer: the caller hides nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A call, what it brings while Redis is away, and the line that says so. caller: the file, and who catches."""

    caller: str
    call: Call
    brings: object
    logged: str = ""


def is_permit(client: redis.Redis) -> bool:
    """Whether a provider may be called."""
    return isinstance(CircuitBreaker(client, lambda *_: None).permit(NAME, PHONE), Permit)


def breaker(record: Callable[[CircuitBreaker], object]) -> Call:
    """The same of a breaker."""
    return lambda client: record(CircuitBreaker(client, lambda *_: None))


def budget(use: Callable[[Budget], object]) -> Call:
    """The same of a budget without any money."""
    return lambda client: use(Budget(client, BudgetLimits(0, 0, 0), lambda: (0, 0)))


def is_paid_for(used: Budget) -> bool:
    """Whether there is money for a call."""
    return isinstance(used.reserve(NAME, PRICE, AiRequest("s", "u"), PHONE), Reservation)


def probes(client: redis.Redis) -> object:
    """The probes that are made; the providers are real ones, which nobody may call here."""
    providers = load_providers(read_settings({"DEEPSEEK_API_KEY": "sk-test"}))
    nothing: Any = None
    return Prober(providers, nothing, nothing, client, nothing, nothing, Shop("Super")).run()


def joined(client: redis.Redis) -> object:
    """What two become who want the same answer."""
    return SingleFlight(client, 90.0).join([JoinRequest("key", token, b"", 45.0) for token in ("a", "b")])


CIRCUIT, BUDGET = "providers/circuit.py:CircuitBreaker._run", "providers/budget.py:Budget._run"
CACHE = "redisdb/cache.py:Cache._execute"
STREAMS, COALESCING = "redisdb/streams.py", "redisdb/coalescing.py"
SESSIONS = {PHONE: {"version": 1}}
#: On the road.
ROWS = {
    "single flight: everybody leads": Row(
        "providers/single_flight.py:SingleFlight.join", joined, [LEAD, LEAD], "flight_unavailable"
    ),
    "the end of a lead: nobody was parked": Row(
        "providers/single_flight.py:SingleFlight._end",
        lambda client: SingleFlight(client, 90.0).end([EndRequest("key", "a", b"x"), EndRequest("key", "b")]),
        [[], []],
        "flight_unavailable",
    ),
    "circuit: a call is permitted": Row(CIRCUIT, is_permit, True, "circuit_unavailable"),
    "circuit: a success": Row(CIRCUIT, breaker(lambda b: b.succeeded(PERMIT, 1.0)), None, "circuit_unavailable"),
    "circuit: a failure": Row(
        CIRCUIT,
        breaker(lambda b: b.failed(PERMIT, ProviderTimeout(NAME, "late"), 1.0)),
        None,
        "circuit_unavailable",
    ),
    "circuit: an unused permit": Row(CIRCUIT, breaker(lambda b: b.released(PERMIT)), None, "circuit_unavailable"),
    "circuit: a probe": Row(CIRCUIT, breaker(lambda b: b.probed(NAME, "m", None)), None, "circuit_unavailable"),
    # A circuit that is forced in one process only would be a lie.
    "circuit: by hand": Row(CIRCUIT, breaker(lambda b: b.force(NAME, "open")), Raises, "circuit_unavailable"),
    # An outage must not silence the shop.
    "budget: a call is paid for": Row(BUDGET, budget(is_paid_for), True, "budget_unavailable"),
    "budget: what it cost": Row(
        BUDGET,
        budget(lambda b: b.settle(RESERVED, 1)),
        None,
        "budget_unavailable",
    ),
    "budget: a call without a reservation": Row(BUDGET, budget(lambda b: b.add(1)), None, "budget_unavailable"),
    "budget: seeding": Row(BUDGET, budget(lambda b: b.seed()), None, "budget_unavailable"),
    "call limit: nobody is over it": Row(
        "providers/budget.py:Budget.over_limit",
        budget(lambda b: b.over_limit([PHONE])),
        frozenset(),
        "budget_unavailable",
    ),
    "reroute: noted in the log alone": Row(
        "providers/circuit.py:CircuitBreaker.rerouted",
        breaker(lambda b: b.rerouted(NAME, "m", "n")),
        None,
        "reroute_not_noted",
    ),
    # Nobody could know what was spent, or who else asks.
    "probes: none is made": Row("providers/probe.py:Prober._may_probe", probes, [], "probe_postponed"),
    "probes: none is known": Row("providers/probe.py:read_probes", read_probes, [], "probes_unavailable"),
    "joined customers: the calls of the hour count anew": Row(
        "intake/invalidation.py:_follow",
        lambda client: invalidate(client, Cache(client), {"joined": [{"gone": PHONE, "kept": f"{PHONE}1"}]}, str.split),
        None,
        "calls_not_moved",
    ),
    "cache: every read is a miss": Row(
        CACHE, lambda client: Cache(client).get_many(SESSION, [PHONE], keep=True), {}, "cache_unavailable"
    ),
    "cache: every write is dropped": Row(
        CACHE, lambda client: Cache(client).set_many(AI_RESPONSE, SESSIONS), None, "cache_unavailable"
    ),
    "cache: whether a value is there nobody knows": Row(
        CACHE, lambda client: Cache(client).renew(AI_RESPONSE, ["key"]), None, "cache_unavailable"
    ),
    # What nobody waits for can be left.
    "replies ahead: none is paid for": Row(
        "precache/allowance.py:Allowance._add",
        lambda client: Allowance(client, 1_000).reserve(1),
        False,
        "allowance_unavailable",
    ),
    "replies ahead: what it cost": Row(
        "precache/allowance.py:Allowance._add",
        lambda client: Allowance(client, 1_000).settle(2, 1),
        None,
        "allowance_unavailable",
    ),
    "reply limit: nobody is limited": Row(
        CACHE,
        lambda client: Cache(client).get_counted(SESSION, [PHONE], REPLY_LIMIT, [PHONE]),
        ({}, {}),
        "cache_unavailable",
    ),
    "reply limit: a reply is not counted": Row(
        CACHE,
        lambda client: Cache(client).set_counted(SESSION, SESSIONS, REPLY_LIMIT, [PHONE]),
        None,
        "cache_unavailable",
    ),
    "counter: kept for later": Row(CACHE, lambda client: Cache(client).count(LIMITED), None),
    "counters of calls": Row(
        "telemetry/recording.py:count_call",
        lambda client: count_call(client, NAME, "m", "ok", 1.0),
        None,
        "counters_unavailable",
    ),
    # Nobody knows whose it is: beat then stands by.
    "leases": Row("celery_ext/active_beat.py", lambda client: Lease(client, "beat", 1.0).take(), Raises),
    "last runs": Row(
        "telemetry/recording.py:note_run", lambda client: note_run(client, "cleanup"), None, "run_not_noted"
    ),
    "customers held back": Row(
        "intake/held_back.py:HeldBack.report",
        lambda client: HeldBack().report(client, {PHONE}),
        None,
        "counters_unavailable",
    ),
    # Intake waits, `worker.receive` comes back, and the sweep publishes what was not.
    "streams: the group": Row(STREAMS, lambda client: Streams(client).create_group(), Raises),
    "streams: a payload": Row(STREAMS, lambda client: Streams(client).send("{}"), Raises),
    "streams: a refusal": Row(STREAMS, lambda client: Streams(client).reject("{", "no JSON"), Raises),
    "streams: reading": Row(STREAMS, lambda client: Streams(client).read(pending=True, count=1), Raises),
    "streams: finishing": Row(STREAMS, lambda client: Streams(client).finish([Entry(b"1-0", b"{}", {})], []), Raises),
    "streams: publishing": Row(STREAMS, lambda client: Streams(client).publish([REPLY]), Raises),
    "streams: publishing orders": Row(STREAMS, lambda client: Streams(client).publish_orders([ORDER_EVENT]), Raises),
    "streams: trimming": Row(STREAMS, lambda client: Streams(client).trim(), Raises),
    "coalesced commands": Row(COALESCING, lambda client: coalescing(client).get("key"), Raises),
    "a command that nobody waits for": Row(
        COALESCING, lambda client: coalescing(client).fire_and_forget().get("key"), None
    ),
    "states of circuits": Row(
        "providers/circuit_states.py", lambda client: read_circuits(client, [(NAME, ("m",))]), Raises
    ),
    "restarts of Redis": Row("redisdb/restarts.py", lambda client: RestartWatch(client).look(0.0), Raises),
    "sizes of the cache": Row("redisdb/cache.py", lambda client: read_size(client, SESSION), Raises),
}
#: Who catches RedisError elsewhere.
HANDLERS = {
    "providers/single_flight.py:SingleFlight.hold": "leads end when they would have, in test_call_leases",
    "precache/own_replies.py:_is_made": "nothing is made ahead, in test_own_replies",
    "precache/own_replies.py:_note": "all is looked through again, in test_own_replies",
    "intake/intake.py:Intake.run": "below: it waits",
    "celery_ext/active_beat.py:ActiveScheduler._is_active": "it stands by, in test_active_beat",
    "celery_ext/active_beat.py:ActiveScheduler.close": "the lease ends by itself, in test_active_beat",
    "tasks.py:receive": "a task on its queue, in acceptance/test_rabbitmq",
    "providers/probe.py:Prober._probe": "Redis has gone between two commands; the probe itself is postponed",
    "runtime/embedded/redis.py:Redis.answers": "a server that is being started",
    "steps/update_session.py:tell_the_shop": "the sweep publishes it, in test_orders_published",
    "orders/order.py:_publish": "one line for the operator, in test_order_commands",
    "redisdb/cache.py:forget_reply_limits": "one line for the operator, in test_operator_commands",
    "redisdb/cluster.py:ClusterRedis.redirected": "the error is the command's answer, which its caller raises",
    "redisdb/cluster_exchange.py:_read": "the error is the command's answer, which its caller raises",
    "redisdb/cluster.py:ClusterPipeline._refresh": "the error that led there is raised",
    "redisdb/sentinel.py:_OfMaster._told_by": "another Sentinel is asked the next time, in test_redis_sentinel",
    "operate/doctor/redis_servers.py:_agrees": "the doctor counts a Sentinel less, in test_redis_sentinel",
    "operate/commands/terminal.py:redis_errors": "one line for the operator, in test_circuits",
}
#: Rooms of operators' commands, which say it and end, and programs that bring their own Redis along.
APART = ("operate/", "devkit/", "runtime/")
#: Modules with a client that run no command of their own, or are the client.
BUILDERS = {"redisdb/connect.py", "steps/services.py", "redisdb/sentinel.py"}
BUILDERS |= {"redisdb/cluster.py", "redisdb/cluster_exchange.py"}


def coalescing(client: redis.Redis) -> CoalescingRedis:
    """Commands of many threads, over the same connections."""
    return CoalescingRedis(client)


@pytest.fixture(params=["refuses", "hangs"])
def away(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A client of a Redis that is away in this way, with a short time limit."""
    port = refusing_port() if request.param == "refuses" else silent_port()
    with port as number, connect_redis(f"redis://127.0.0.1:{number}", TIMEOUT_S, repeats=0) as client:
        yield client


@pytest.mark.parametrize("name", ROWS)
def test_a_caller_of_a_redis_that_is_away(away: redis.Redis, name: str) -> None:
    """It brings what was declared, says so in the log, and tells nobody's number."""
    row = ROWS[name]
    with capture_logs() as lines:
        if row.brings is Raises:
            with pytest.raises(RedisError):
                row.call(away)
        else:
            assert row.call(away) == row.brings
    assert not row.logged or row.logged in [line["event"] for line in lines]
    assert PHONE not in str(lines)


def test_intake_waits(away: redis.Redis, shop_services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tries again and again, until it is stopped."""
    monkeypatch.setattr(intake_module, "RECOVERY_PAUSE_S", 0.01)
    chain = OneBatch()
    with capture_logs() as lines:
        intake = Intake(replace(shop_services, streams=Streams(away)), chain, chain.stop)
        running = Thread(target=intake.run)
        running.start()
        assert wait_until(lambda: [line["event"] for line in lines].count("intake_interrupted") >= 3, GUARD_S)
        chain.stop.set()
        running.join(GUARD_S)
    assert not running.is_alive()


def sources() -> Iterator[tuple[str, str]]:
    """Name and text of every file of ours."""
    root = REPOSITORY / "worker"
    for file in sorted(root.rglob("*.py")):
        yield str(file.relative_to(root)), file.read_text("utf-8")


def handlers(text: str) -> Iterator[str]:
    """Qualified names of the functions that catch or suppress RedisError."""

    def walk(node: ast.AST, name: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from walk(child, f"{name}.{child.name}" if name else child.name)
            else:
                caught = child.type if isinstance(child, ast.ExceptHandler) else None
                called = ast.unparse(child.func) if isinstance(child, ast.Call) else ""
                suppressed = child if "suppress" in called or called == "warned" else None
                if any(part and "RedisError" in ast.unparse(part) for part in (caught, suppressed)):
                    yield name
                yield from walk(child, name)

    return walk(ast.parse(text), "")


def test_whoever_catches_its_errors_stands_in_a_table() -> None:
    """A new one has to say what it does instead, and is tried."""
    found = {f"{file}:{name}" for file, text in sources() for name in handlers(text)}
    declared = {row.caller for row in ROWS.values() if ":" in row.caller} | HANDLERS.keys()
    assert (found - declared, declared - found) == (set(), set())


def test_whoever_has_a_client_stands_in_a_table() -> None:
    """A module on the road with a client of Redis is called by one of the rows."""
    client = re.compile(r"\bredis\.Redis\b|\bimport Redis\b|\bconnect_(redis|durable|cache)\(")
    holders = {file for file, text in sources() if client.search(text) and not file.startswith(APART)}
    tried = {row.caller.partition(":")[0] for row in ROWS.values()}
    assert holders - tried - BUILDERS == set()
