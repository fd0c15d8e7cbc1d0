"""The trial: a conversation, an outage and a look of the doctor, on the whole service and the real model."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import redis
from helpers.basics import Servers
from helpers.service import FLOW_PROCESSES, Conversation, forget, service_processes

from db import migrations
from db.engine import make_engine
from real_model import invariants
from real_model.invariants import Verdict
from real_model.player import Player
from real_model.provider_file import KEY_VARIABLE, Json, write_providers
from real_model.recording import UPSTREAM_TIMEOUT_S, Recorder
from real_model.script import CONVERSATION, HUNG, LATER
from real_model.transcript import Booked, Examined, Exchange, Outage
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG
from worker.devkit.gateway import Gateway
from worker.errors import CommandError
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.servers import embedded_servers
from worker.runtime.environment import environment

#: The server does one call after the other, and a call's time limit runs while it waits there.
TALK: Final = {"AI_PARALLEL_CALLS": "1", "FLOW_LEASE_S": "15", "SWEEP_EVERY_S": "2"}
#: In the outage everybody calls at once.
HANG: Final = TALK | {"AI_PARALLEL_CALLS": "6"}
RECOVERY_S: Final = 120.0
#: How long a look at a circuit that is open may go on.
OPEN_S: Final = 60.0
SETTLE_S: Final = 60.0
DOCTOR_TIMEOUT_S: Final = 240.0
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Time limits by how long this machine takes for a call. talk_s: of a call in the conversation; deadline_s: of a
    message there, which waits for those of the others; hang_s: of a call in the outage, where many wait in vain.
    """

    talk_s: float
    deadline_s: float
    hang_s: float

    @classmethod
    def of(cls, call_s: float) -> Pace:
        """call_s: of a request as large as the service's."""
        return cls(
            talk_s=min(max(20.0, 6 * call_s), 90.0),
            deadline_s=min(max(60.0, 12 * call_s), 400.0),
            hang_s=min(max(10.0, 3 * call_s), 45.0),
        )

    @property
    def hang_deadline_s(self) -> float:
        """Of a message in the outage: time for a second call, if somebody made one."""
        return 3 * self.hang_s


@dataclass(slots=True)
class Found:
    """Everything the invariants are judged by."""

    exchanges: list[Exchange] = field(default_factory=list)
    replies: list[Mapping[str, Any]] = field(default_factory=list)
    cached: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    booked: Booked | None = None
    outage: Outage | None = None
    examined: Examined | None = None


class Trial:
    """One trial on servers of its own under `directory`, with the model behind `recorder`."""

    def __init__(
        self, directory: Path, recorder: Recorder, api_key: str, pace: Pace, talk_s: float, tell: Tell
    ) -> None:
        """talk_s: after so many seconds nobody says anything new, however slow the machine is."""
        self._talk_s = talk_s
        self._pace = pace
        self._directory = directory
        self._recorder = recorder
        self._key = {KEY_VARIABLE: api_key}
        self._tell = tell
        self.found = Found()

    def run(self) -> list[Verdict]:
        """The verdict on each invariant."""
        with embedded_servers(self._directory) as running:
            servers = Servers(str(running.database_url), str(running.redis_url), self._directory)
            migrations.upgrade(servers.database_url)
            import_products(servers.database_url, read_products(CATALOG), lambda _rows: None)
            with self._service(servers, TALK, self._pace.talk_s, self._pace.deadline_s) as (talk, player):
                self.found.exchanges += player.play(CONVERSATION, self._talk_s, self._pace.deadline_s + SETTLE_S)
                self._after(talk, player)
            with self._service(servers, HANG, self._pace.hang_s, self._pace.hang_deadline_s) as (talk, player):
                self.found.outage = self._hang(talk, player)
                self._after(talk, player)
                # Afterwards, since its calls are booked by nobody.
                booked_calls = self._recorder.calls
                self.found.examined = self._examine(servers)
        return self._verdicts(booked_calls)

    def _verdicts(self, calls: tuple[Any, ...]) -> list[Verdict]:
        found = self.found
        if found.outage is None or found.examined is None or found.booked is None:
            raise CommandError("the trial did not come to its end")
        return [
            invariants.one_reply(found.exchanges, found.replies),
            invariants.tokens(calls, found.booked),
            invariants.carts(found.exchanges),
            invariants.orders(found.exchanges),
            invariants.words(found.exchanges, found.cached, calls),
            invariants.everybodys(found.exchanges, found.cached),
            invariants.doctor(found.examined),
            invariants.circuits(found.outage),
        ]

    def _providers(self, json: Json, timeout_s: float) -> dict[str, str]:
        file = self._directory / f"providers-{json}-{timeout_s:g}.toml"
        return {"PROVIDERS_FILE": str(write_providers(file, self._recorder.url, json, timeout_s))}

    @contextmanager
    def _service(
        self, servers: Servers, times: Mapping[str, str], timeout_s: float, deadline_s: float
    ) -> Iterator[tuple[Conversation, Player]]:
        """The running service and who talks to it."""
        given = self._key | self._providers("object_schema", timeout_s) | times | {"AI_DEADLINE_S": f"{deadline_s:g}"}
        with ExitStack() as stack:
            _, log = stack.enter_context(service_processes(servers, self._directory, given, FLOW_PROCESSES))
            engine = make_engine(servers.database_url)
            stack.callback(engine.dispose)
            client = stack.enter_context(connect_redis(servers.redis_url, DURABLE_TIMEOUT_S))
            talk = Conversation(engine, client, log, Gateway(client))
            yield talk, Player(talk, secrets.token_hex(4), self._show)

    def _after(self, talk: Conversation, player: Player) -> None:
        """What is looked at when all is quiet."""
        self._recorder.wait_until_idle(UPSTREAM_TIMEOUT_S)
        player.settle(SETTLE_S)
        self.found.replies += talk.replies
        self.found.booked = player.booked()
        self.found.cached = _everybodys(talk)

    def _hang(self, talk: Conversation, player: Player) -> Outage:
        """The provider takes calls and never answers, until it does again."""
        forget(talk.redis, "ai_circuit:*")
        later, bounds = iter(LATER), (self._pace.hang_s, self._pace.hang_deadline_s + SETTLE_S)
        self._recorder.stalling.set()
        hung = player.play(HUNG, *bounds)
        opened = bool(open_circuits(talk.redis))
        while_open = player.play([next(later), next(later)], *bounds)
        wait_until(lambda: may_be_tried(talk.redis), OPEN_S)
        while_open += player.play([next(later), next(later)], *bounds)
        self._recorder.stalling.clear()
        deadline, healed = time.monotonic() + RECOVERY_S, list[Exchange]()
        while open_circuits(talk.redis) and time.monotonic() < deadline and (act := next(later, None)):
            wait_until(lambda: may_be_tried(talk.redis), OPEN_S)
            healed += player.play([act], *bounds)
        self.found.exchanges += [*hung, *while_open, *healed]
        return Outage(self._pace.hang_s, opened, not open_circuits(talk.redis), hung, while_open)

    def _examine(self, servers: Servers) -> Examined:
        """The doctor on the same model, asked in a way in which it never gives a usable answer."""
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        before = len(self._recorder.calls)
        with environment(urls | self._key | self._providers("words", self._pace.talk_s)):
            argv = [sys.executable, "-m", "worker", "doctor", "--json"]
            ended = subprocess.run(argv, capture_output=True, timeout=DOCTOR_TIMEOUT_S)
        try:
            checks = orjson.loads(ended.stdout)["checks"]
        except (orjson.JSONDecodeError, KeyError) as exc:
            raise CommandError(f"chasqui doctor said: {ended.stderr.decode(errors='replace')[-500:]}") from exc
        self._recorder.wait_until_idle(UPSTREAM_TIMEOUT_S)
        unfit = [check for check in checks if check["check"].startswith("provider") and check["state"] == "failed"]
        return Examined(not unfit, [call.text for call in self._recorder.calls[before:]])

    def _show(self, exchange: Exchange) -> None:
        said, told = (" ".join(text.split()) for text in (exchange.said, exchange.told))
        source = exchange.source or "silence"
        self._tell(f"{exchange.customer[-3:]} » {said[:70]}\n    {source:>8} {exchange.took_s:5.1f} s « {told[:110]}")


def _everybodys(talk: Conversation) -> dict[str, Mapping[str, Any]]:
    """Decisions in the reply cache that any customer may get: under keys that are no one's own."""
    own = {row[0] for row in talk.sql("select outcome ->> 'reply_key' from messages where outcome is not null")}
    keys = [key.decode().partition(":")[2] for key in talk.redis.scan_iter("ai_response:*")]
    entries = {key: talk.redis.get(f"ai_response:{key}") for key in keys if key not in own}
    return {key: orjson.loads(entry)["decision"] for key, entry in entries.items() if entry}


def _circuits(client: redis.Redis) -> list[Mapping[bytes, bytes]]:
    keys = [key for key in client.scan_iter("ai_circuit:*") if client.type(key) == b"hash"]
    found: list[Any] = [client.hgetall(key) for key in keys]
    return [fields for fields in found if b"state" in fields]


def open_circuits(client: redis.Redis) -> int:
    """How many circuits are not closed."""
    return sum(fields[b"state"] != b"closed" for fields in _circuits(client))


def may_be_tried(client: redis.Redis) -> bool:
    """Whether no circuit keeps calls away for the moment."""
    now: Any = client.time()
    return all(int(fields.get(b"until_ms", 0)) <= now[0] * 1000 for fields in _circuits(client))
