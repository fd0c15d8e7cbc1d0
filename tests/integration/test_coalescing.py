"""What threads ask of Redis at the same time makes one round trip, and each gets its own answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
import redis
from helpers.basics import GUARD_S
from redis.exceptions import RedisError, ResponseError
from structlog.testing import capture_logs

from worker.redisdb import coalescing
from worker.redisdb.coalescing import CoalescingRedis

THREADS = 16
ADD_ONE = "return tonumber(ARGV[1]) + 1"


class HeldRedis(CoalescingRedis):
    """Counts round trips, and holds the first until it is told to go on."""

    def __init__(self, over: redis.Redis) -> None:
        super().__init__(over)
        self.trips: list[int] = []
        self.began, self.go_on = Event(), Event()

    def _round_trip(self, commands: list[Any]) -> list[Any]:
        self.trips.append(len(commands))
        if len(self.trips) == 1:
            self.began.set()
            assert self.go_on.wait(GUARD_S)
        return super()._round_trip(commands)


@pytest.fixture
def client(redis_client: redis.Redis) -> HeldRedis:
    """On the connections of the test's own client."""
    return HeldRedis(redis_client)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """As many as ask."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def asked_meanwhile(client: HeldRedis, threads: ThreadPoolExecutor, asks: list[Callable[[], Any]]) -> list[Any]:
    """What comes of these, an error included, when all are asked while the round trip of the first is under way."""

    def outcome(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (RedisError, KeyboardInterrupt) as exc:
            return exc

    first = threads.submit(outcome, asks[0])
    assert client.began.wait(GUARD_S)
    others = [threads.submit(outcome, ask) for ask in asks[1:]]
    deadline = time.monotonic() + GUARD_S
    while len(client._queue) < len(others):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    client.go_on.set()
    return [future.result(GUARD_S) for future in (first, *others)]


def test_one_at_a_time_nothing_is_different(client: HeldRedis) -> None:
    """Each command goes at once and alone."""
    client.go_on.set()
    assert client.set("a", 1)
    assert client.get("a") == b"1"
    assert client.mget(["a", "b"]) == [b"1", None]
    assert client.trips == [1, 1, 1]


def test_what_is_asked_meanwhile_shares_a_round_trip(client: HeldRedis, threads: ThreadPoolExecutor) -> None:
    """Two round trips for all, and everybody's own answer, read as its command is read."""
    asks: list[Callable[[], Any]] = [lambda: client.set("first", 1)]
    asks += [lambda name=f"n{n}", n=n: client.incrby(name, n) for n in range(1, THREADS)]
    assert asked_meanwhile(client, threads, asks) == [True, *range(1, THREADS)]
    assert client.trips == [1, THREADS - 1]
    assert not client._is_led


def test_an_error_is_his_who_asked(client: HeldRedis, threads: ThreadPoolExecutor) -> None:
    """The others get their answers."""
    client.go_on.set()
    client.set("text", "a")
    client.go_on.clear()
    client.trips.clear()
    one, wrong, other = asked_meanwhile(
        client, threads, [lambda: client.get("text"), lambda: client.incr("text"), lambda: client.strlen("text")]
    )
    assert (one, other) == (b"a", 1)
    assert isinstance(wrong, ResponseError)


def test_a_script_that_redis_does_not_know_is_loaded(client: HeldRedis, threads: ThreadPoolExecutor) -> None:
    """By each who asks for it, as with any client."""
    script = client.register_script(ADD_ONE)
    asks = [lambda n=n: script(args=[n]) for n in range(4)]
    assert asked_meanwhile(client, threads, asks) == [1, 2, 3, 4]


def test_without_redis_everybody_hears_of_it(redis_client: redis.Redis, threads: ThreadPoolExecutor) -> None:
    """And the next who asks asks again."""
    client = HeldRedis(redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1))
    outcomes = asked_meanwhile(client, threads, [client.ping] * 4)
    assert [type(outcome) for outcome in outcomes] == [redis.ConnectionError] * 4
    assert not client._is_led
    client.over = redis_client
    assert client.ping()


def broken_off() -> None:
    """In the place of a pipeline."""
    raise KeyboardInterrupt


def test_who_is_broken_off_leaves_nobody_waiting(
    client: HeldRedis, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends a thread is no error of Redis; who went with it hears of it, and who came later is served."""
    monkeypatch.setattr(HeldRedis, "pipeline", lambda self, transaction: broken_off())
    asks: list[Callable[[], Any]] = [client.ping] * 3
    first, *others = asked_meanwhile(client, threads, asks)
    assert first is True
    assert sorted(type(outcome).__name__ for outcome in others) == ["ConnectionError", "KeyboardInterrupt"]
    assert not client._is_led
    assert client.ping()


def test_under_load_nobody_is_forgotten(redis_client: redis.Redis, threads: ThreadPoolExecutor) -> None:
    """Thousands of commands of many threads: every answer is the one asked for."""
    client = CoalescingRedis(redis_client)

    def echoes(thread: int) -> bool:
        texts = [f"{thread}.{n}".encode() for n in range(250)]
        return [client.echo(text) for text in texts] == texts

    assert all(threads.map(echoes, range(THREADS)))
    assert not client._is_led
    assert client._queue == []


def test_a_fire_and_forget_command_goes_with_the_next_awaited_one(client: HeldRedis) -> None:
    """In its order, before it, and without an answer."""
    client.go_on.set()
    ignored = client.fire_and_forget()
    assert ignored.rpush("list", "a") is None
    assert ignored.rpush("list", "b") is None
    assert client.trips == []
    assert client.lrange("list", 0, -1) == [b"a", b"b"]
    assert client.trips == [3]
    assert client.llen("list") == 2


def test_a_fire_and_forget_script_is_known_to_every_server(client: HeldRedis) -> None:
    """Where Redis has taken over, or was started anew, its text goes with the next awaited command."""
    heard: list[int] = []
    ignored = client.fire_and_forget(heard.append)
    client.go_on.set()
    for script, caller in ((client.register_script(ADD_ONE), ignored), (ignored.register_script(ADD_ONE), None)):
        client.script_flush()
        script(args=[1], client=caller)
        client.ping()
        client.ping()
    assert heard == [2, 2]


def test_a_lost_fire_and_forget_command_is_in_the_log(client: HeldRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many, and the kind of error; who asked gets his answer all the same."""
    client.go_on.set()
    client.set("text", "a")
    with capture_logs() as lines:
        monkeypatch.setattr(coalescing, "log", coalescing.logger("test"))
        client.fire_and_forget().incr("text")
        client.fire_and_forget().rpush("text", "secret")
        assert client.get("text") == b"a"
    assert lines == [{"event": "commands_lost", "log_level": "warning", "commands": 2, "error": "ResponseError"}]


def test_an_answer_that_is_not_awaited_can_be_passed_on(client: HeldRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of a command that failed; and what he makes of it is not the trouble of who asked."""
    client.go_on.set()
    answers: list[Any] = []
    client.set("text", "a")
    with capture_logs() as lines:
        monkeypatch.setattr(coalescing, "log", coalescing.logger("test"))
        client.fire_and_forget(answers.append).rpush("list", "a")
        client.fire_and_forget(answers.append).incr("text")
        client.fire_and_forget(lambda length: answers.append(1 // (length - length))).rpush("list", "b")
        assert client.get("text") == b"a"
    assert answers == [1]
    assert [line["event"] for line in lines] == ["commands_lost", "answer_not_heard"]
