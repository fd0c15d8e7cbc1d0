"""`make growth`: how throughput and memory hold as the database fills, as a worker ages, and with more processes.

Writes build/growth.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import text

from bench.bench import as_one_line, describe
from bench.crowd import Crowd
from bench.economy import default_catalog
from bench.filling import fill
from bench.machine import as_line
from bench.ours import Service, open_service
from bench.progress import Course
from bench.rounds import percentile
from bench.stage import Stage, open_stage
from worker.catalog.price_list import read_products
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis

RESULT: Final = Path("build") / "growth.json"
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
PROCESSES: Final = (1, 2, 3, 4)
USUAL_PROCESSES: Final = 2
AGE: Final = 100_000
SECONDS: Final = 8.0
#: In a run that shows how a measurement works and no more.
SHORT_SIZES, SHORT_PROCESSES, SHORT_AGE, SHORT_SECONDS = (1_000, 10_000), (1, 2), 5_000, 2.0
LOOKS: Final = 10
QUESTIONS: Final = 150
SINGLES: Final = 40
WARM_UP: Final = 500
RUNS: Final = 3
MIB: Final = 2**20
Row = dict[str, float]
console = Console()


@click.command()
@click.option("--short", is_flag=True, help="Small sizes and short runs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is other texts and customers.")
@click.option("--largest", type=click.IntRange(1_000), default=SIZES[-1], show_default=True, help="Sessions, at most.")
def main(short: bool, seed: int, largest: int) -> None:
    """Measure the service on a growing database, over a long life, and with one to four worker processes."""
    sizes = [size for size in (SHORT_SIZES if short else SIZES) if size <= largest]
    processes, age, seconds = (SHORT_PROCESSES, SHORT_AGE, SHORT_SECONDS) if short else (PROCESSES, AGE, SECONDS)
    with as_one_line():
        products = read_products(default_catalog())
        with open_stage(products, seed) as stage, Course(console, 2 * len(sizes) + len(processes) + LOOKS) as course:
            growth = Growth(stage, Crowd(products, seed), course, seconds)
            found: dict[str, Any] = {"machine": describe(stage)}
            console.print(as_line(found["machine"]))
            found["processes"] = growth.by_processes(processes)
            found["age"] = growth.by_age(age)
            found["size"] = growth.by_size(sizes)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    for name in ("processes", "age", "size"):
        console.print(as_table(name, found[name]))
    console.print(f"Written to {RESULT}.")


class Growth:
    """The measurements, on one stage. All of them send questions that others have asked before."""

    def __init__(self, stage: Stage, crowd: Crowd, course: Course, seconds: float) -> None:
        self._stage = stage
        self._crowd = crowd
        self._course = course
        self._seconds = seconds
        self._asked = crowd.questions(QUESTIONS)
        self._questions: list[str] = []
        self._rng = Random(1)

    def by_processes(self, processes: Sequence[int]) -> list[Row]:
        """Throughput and CPU of a message with so many worker processes."""
        return [{"processes": count} | self._throughput(count) for count in processes]

    def by_age(self, messages: int) -> list[Row]:
        """Memory (MiB) of each part as the same processes answer message after message."""
        rows = []
        with open_service(self._stage, USUAL_PROCESSES) as service:
            self._warm_up(service)
            for look in range(1, LOOKS + 1):
                name = f"message {look * messages // LOOKS:,} of {messages:,}"
                batch = self._crowd.asking(self._questions, messages // LOOKS)
                self._course.begin(name, len(batch))
                run = service.play(batch, self._course.look)
                rows.append({"messages": look * messages // LOOKS, "rate": round(run.rate, 1)} | self._memory(service))
                self._course.end(f"{name}: {run.rate:,.1f}/s")
        return rows

    def by_size(self, sizes: Sequence[int]) -> list[Row]:
        """Throughput, the latency of a single message, memory and space with so many sessions and messages stored."""
        rows, before = [], 0
        for size in sizes:
            self._course.begin(f"filling to {size:,} sessions", size)
            fill(self._stage.connection, before, size, self._course.look)
            self._course.end(f"filled to {size:,} sessions")
            rows.append({"sessions": float(size)} | self._throughput(USUAL_PROCESSES) | self._space())
            before = size
        return rows

    def _throughput(self, processes: int) -> Row:
        """A median of three runs on a service that has just been started."""
        with open_service(self._stage, processes) as service:
            rate = self._warm_up(service)
            runs = []
            for _ in range(RUNS):
                batch = self._crowd.asking(self._questions, int(rate * self._seconds / RUNS))
                self._course.begin(f"{processes} processes", len(batch))
                runs.append(service.play(batch, self._course.look))
            single = self._crowd.asking(self._questions, SINGLES)
            took_ms = service.gateway.one_by_one(single, self._rng)
            memory = self._memory(service)
        middle = round(median(run.rate for run in runs), 1)
        self._course.end(f"{processes} processes: {middle:,.1f}/s")
        return {
            "rate": middle,
            "least": round(min(run.rate for run in runs), 1),
            "most": round(max(run.rate for run in runs), 1),
            "single_ms": round(percentile(took_ms, 0.5), 1),
            "cpu_ms": round(median(sum(run.cpu_ms.values()) for run in runs), 3),
            "postgres_cpu_ms": round(median(run.cpu_ms["postgres"] for run in runs), 3),
            "others": round(median(run.others for run in runs), 2),
            **memory,
        }

    def _warm_up(self, service: Service) -> float:
        """Messages per second, about, once the service is warm."""
        if not self._questions:
            self._questions = service.answered_from_cache(self._crowd, self._asked, lambda _count: None)
        return service.play(self._crowd.asking(self._questions, WARM_UP), lambda _count: None).rate

    def _memory(self, service: Service) -> Row:
        parts = self._stage.cast.memory_mib(service.supervisor)
        return {f"{part} MiB": round(mib, 1) for part, mib in parts.items() if part != "beat"}

    def _space(self) -> Row:
        with self._stage.connection.begin():
            size = self._stage.connection.execute(text("select pg_database_size(current_database())")).scalar_one()
        with closing(connect_redis(self._stage.configured.required("redis_url"), DURABLE_TIMEOUT_S)) as client:
            used: Any = client.info("memory")
        return {"database MiB": round(size / MIB, 1), "redis data MiB": round(used["used_memory"] / MIB, 1)}


def as_table(name: str, rows: Sequence[Mapping[str, float]]) -> Table:
    """One measurement: figures side by side, or its steps where they are fewer."""
    first, *others = rows[0]
    steps = [(f"{row[first]:,.0f}", *(f"{row.get(figure, 0):,}" for figure in others)) for row in rows]
    lines = [(first, *others), *steps]
    if len(steps) < len(others):
        lines = list(zip(*lines, strict=True))
    table = Table(*(Column(heading.replace(" ", "\n"), justify="right") for heading in lines[0]), title=f"by {name}")
    for line in lines[1:]:
        table.add_row(*line)
    return table


if __name__ == "__main__":
    main()
