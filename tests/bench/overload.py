"""`make overload`: far more messages within ten seconds than can be answered in minutes, and what becomes of them.

One in five needs a model. While it lasts, a customer who has nothing to do with it writes a message now and then.
Writes build/overload.json; exits 1 if a message has no reply, or more than one, or a bound was passed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, Final

import click
import orjson
import redis
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from bench.bench import as_one_line, describe
from bench.crowd import Crowd, Written
from bench.economy import default_catalog
from bench.machine import as_line
from bench.ours import LATENCY_MS, Service, open_service
from bench.progress import Course
from bench.rounds import percentile
from bench.stage import Stage, open_stage
from worker.app import AI, FLOW
from worker.catalog.price_list import read_products
from worker.chain import MAX_QUEUED_CALLS
from worker.intake.intake import MAX_QUEUED_BATCHES, READ_BATCHES
from worker.intake.sweep import LIMIT
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.redisdb.keys import INBOUND

RESULT: Final = Path("build") / "overload.json"
MESSAGES: Final = 100_000
WITHIN_S: Final = 10.0
CHUNK: Final = 1_000
MISSED: Final = 0.2
QUESTIONS: Final = 150
PROCESSES: Final = 2
LOOK_EVERY_S: Final = 0.5
QUIET_EVERY_S: Final = 5.0
#: Without any reply for so long something is wrong.
SILENCE_S: Final = 90.0
MIB: Final = 2**20
#: No process of ours may grow by more: a batch is small, and the backlog is not in memory.
MAX_GROWTH_MIB: Final = 150.0
MAX_CONNECTIONS: Final = 60
#: What intake adds to queue `flow` after it has seen that there is room: what it reads at once, and a sweep.
MAX_FLOW: Final = MAX_QUEUED_BATCHES + READ_BATCHES + LIMIT
#: Each process of the chain may add a batch after it has seen that there is room.
MAX_AI: Final = MAX_QUEUED_CALLS + PROCESSES
CONNECTIONS: Final = text("select count(*) from pg_stat_activity where backend_type = 'client backend'")
console = Console()


@dataclass(slots=True)
class Peaks:
    """The most that was seen of each figure, and the first."""

    first: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)

    def note(self, figures: dict[str, float]) -> None:
        """One look."""
        for name, figure in figures.items():
            self.first.setdefault(name, figure)
            self.most[name] = max(self.most.get(name, figure), figure)


@dataclass(slots=True)
class Heard:
    """Replies by message, and how long the quiet customer waited (seconds)."""

    replies: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    quiet_sent: dict[str, float] = field(default_factory=dict)
    quiet_s: list[float] = field(default_factory=list)

    def take(self, reply: dict[str, Any]) -> None:
        """Notes one."""
        self.replies.update(reply["in_reply_to"])
        self.sources[reply["source"]] += len(reply["in_reply_to"])
        for message_id in reply["in_reply_to"]:
            if message_id in self.quiet_sent:
                self.quiet_s.append(time.monotonic() - self.quiet_sent[message_id])


@click.command()
@click.option("--messages", type=click.IntRange(100), default=MESSAGES, show_default=True, help="Sent within 10 s.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is other texts and customers.")
def main(messages: int, seed: int) -> None:
    """Send far more than can be answered, and see that all of it is, with bounded memory."""
    with as_one_line():
        products = read_products(default_catalog())
        with open_stage(products, seed) as stage, open_service(stage, PROCESSES) as service:
            found: dict[str, Any] = {"machine": describe(stage)}
            console.print(as_line(found["machine"]))
            found |= overload(stage, service, Crowd(products, seed), Random(seed), messages)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    console.print(as_table(found))
    console.print(f"Written to {RESULT}.")
    broken = list(complaints(found))
    for complaint in broken:
        console.print(f"[red]{complaint}[/red]")
    sys.exit(1 if broken else 0)


def overload(stage: Stage, service: Service, crowd: Crowd, rng: Random, messages: int) -> dict[str, Any]:
    """Sends, collects, and tells what was seen."""
    known = service.answered_from_cache(crowd, crowd.questions(QUESTIONS), lambda _count: None)
    missed = int(messages * MISSED)
    burst = crowd.each_once(rng.choice(known) for _ in range(messages - missed)) + crowd.never_asked(missed)
    rng.shuffle(burst)
    quiet = crowd.each_once(known * 20)
    stage.simulate(mode="ok", latency_ms=LATENCY_MS)
    heard, peaks = Heard(), Peaks()
    url = stage.configured.required("redis_url")
    with (
        closing(connect_redis(url, DURABLE_TIMEOUT_S)) as client,
        Course(console, 1) as course,
        looking(stage, service, peaks),
    ):
        course.begin("overload", len(burst))
        position = service.gateway.position()
        began = time.monotonic()
        sent_s = send(service, burst)
        collect(service, heard, {message.id for message in burst}, iter(quiet), client, position, course)
        took_s = time.monotonic() - began
        course.end(f"{len(burst):,} messages sent in {sent_s:.1f} s, answered in {took_s:.0f} s")
    expected = [message.id for message in burst] + list(heard.quiet_sent)
    return {
        "messages": len(expected),
        "sent_s": round(sent_s, 1),
        "answered_s": round(took_s, 1),
        "rate": round(len(burst) / took_s, 1),
        "unanswered": sum(heard.replies[each] == 0 for each in expected),
        "doubled": sum(heard.replies[each] > 1 for each in expected),
        "sources": dict(heard.sources),
        "quiet_customer_s": {
            "messages": len(heard.quiet_s),
            "p50": round(percentile(heard.quiet_s, 0.5), 1),
            "max": round(max(heard.quiet_s), 1),
        },
        "first": {name: round(figure, 1) for name, figure in peaks.first.items()},
        "most": {name: round(figure, 1) for name, figure in peaks.most.items()},
    }


def send(service: Service, burst: Sequence[Written]) -> float:
    """All of it, evenly over less than ten seconds; how long it took."""
    began = time.monotonic()
    for first in range(0, len(burst), CHUNK):
        due = began + 0.9 * WITHIN_S * first / len(burst)
        time.sleep(max(0.0, due - time.monotonic()))
        service.gateway.send(burst[first : first + CHUNK])
    return time.monotonic() - began


def collect(
    service: Service,
    heard: Heard,
    awaited: set[str],
    quiet: Iterator[Written],
    client: redis.Redis,
    position: bytes,
    course: Course,
) -> None:
    """Reads replies until all have come, or none for 90 s. Meanwhile the quiet customer writes."""
    missing, heard_at, next_quiet = set(awaited), time.monotonic(), 0.0
    while missing or len(heard.quiet_s) < len(heard.quiet_sent):
        if missing and time.monotonic() >= next_quiet:
            message, next_quiet = next(quiet), time.monotonic() + QUIET_EVERY_S
            heard.quiet_sent[message.id] = time.monotonic()
            client.xadd(INBOUND.pattern, {"payload": message.body(int(time.time()))})
        for entry_id, reply in service.gateway.read(position):
            position, heard_at = entry_id, time.monotonic()
            heard.take(reply)
            missing.difference_update(reply["in_reply_to"])
        if time.monotonic() - heard_at > SILENCE_S:
            return
        course.look(len(awaited) - len(missing))
        time.sleep(LOOK_EVERY_S / 5)


@contextmanager
def looking(stage: Stage, service: Service, peaks: Peaks) -> Iterator[None]:
    """Notes twice a second how large everything is."""
    stop = Event()
    url = stage.configured.required("redis_url")

    def look(client: redis.Redis) -> dict[str, float]:
        memory: Any = client.info("memory")
        with stage.connection.begin():
            connections = float(stage.connection.execute(CONNECTIONS).scalar_one())
        lengths: Any = [client.llen(FLOW), client.llen(AI), client.xlen(INBOUND.pattern)]
        parts = {f"{part} MiB": mib for part, mib in stage.cast.memory_mib(service.supervisor).items()}
        named = dict(zip(("queue flow", "queue ai", "backlog"), map(float, lengths), strict=True))
        return parts | named | {"redis data MiB": memory["used_memory"] / MIB, "connections": connections}

    def run() -> None:
        with closing(connect_redis(url, DURABLE_TIMEOUT_S)) as client:
            peaks.note(look(client))
            while not stop.wait(LOOK_EVERY_S):
                peaks.note(look(client))

    looker = Thread(target=run, name="looker")
    looker.start()
    try:
        yield
    finally:
        stop.set()
        looker.join()


def complaints(found: dict[str, Any]) -> Iterator[str]:
    """What was not kept."""
    for name in ("unanswered", "doubled"):
        if found[name]:
            yield f"{found[name]:,} messages are {name}"
    bounds = {"queue flow": MAX_FLOW, "queue ai": MAX_AI, "connections": MAX_CONNECTIONS}
    for name, bound in bounds.items():
        if found["most"][name] > bound:
            yield f"{name}: {found['most'][name]:,.0f}, more than {bound}"
    for name, most in found["most"].items():
        grown = most - found["first"].get(name, 0.0)
        if name.endswith("MiB") and name not in {"redis MiB", "redis data MiB"} and grown > MAX_GROWTH_MIB:
            yield f"{name}: grew by {grown:,.0f}, more than {MAX_GROWTH_MIB:,.0f}"


def as_table(found: dict[str, Any]) -> Table:
    """All figures, the first look beside the most."""
    table = Table("figure", "before", "most")
    for name in ("messages", "sent_s", "answered_s", "rate", "unanswered", "doubled"):
        table.add_row(name, "", f"{found[name]:,}")
    for name, figure in found["sources"].items():
        table.add_row(f"from {name}", "", f"{figure:,}")
    quiet = found["quiet_customer_s"]
    table.add_row("quiet customer waits s", f"{quiet['p50']:,} (p50)", f"{quiet['max']:,}")
    for name, most in found["most"].items():
        table.add_row(name, f"{found['first'].get(name, 0.0):,}", f"{most:,}")
    return table


if __name__ == "__main__":
    main()
