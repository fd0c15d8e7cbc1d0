"""`make bench`: Chasqui beside an empty Celery chain and beside the seed's flow written plainly, on the same machine.

Writes build/bench.json (throughput, ratios, latencies) and build/bench-details.json (machine, costs of a message).
Exits 0 when everything was measured; what the figures should be stands in docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import orjson
from redis.exceptions import RedisError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from bench.contest import LONG, SHORT, Contest, Plan
from bench.crowd import Crowd
from bench.economy import default_catalog
from bench.machine import as_line, machine
from bench.profiles import profile
from bench.progress import Course
from bench.rounds import WORKLOADS, Workload, costs, summary
from bench.stage import Stage, open_stage
from bench.tables import as_tables, facts
from bench.workload import make_days
from worker import log
from worker.catalog.price_list import read_products
from worker.errors import ChasquiError
from worker.operate.commands.terminal import interrupting
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis

RESULT: Final = Path("build") / "bench.json"
DETAILS: Final = Path("build") / "bench-details.json"
console = Console()


@contextmanager
def as_one_line() -> Iterator[None]:
    """SIGINT and SIGTERM tidy up and end the block; what goes wrong becomes one clear line."""
    log.configure("console", "ERROR")
    try:
        with interrupting():
            yield
    except ChasquiError as exc:
        raise click.ClickException(str(exc)) from exc
    except (RedisError, SQLAlchemyError, OSError) as exc:
        raise click.ClickException(f"a server of the benchmark does not answer: {type(exc).__name__}") from exc


@click.command()
@click.option("--short", is_flag=True, help="About 2 minutes in the place of 10, with wider ranges.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is other texts and customers.")
@click.option("--only", type=click.Choice(WORKLOADS), help="One workload alone.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Rounds of all contenders.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), help="Of each run.")
@click.option(
    "--calls",
    type=click.IntRange(1, 192),
    help="Of providers at a time (AI_PARALLEL_CALLS).  [default: the service's own]",
)
@click.option("--profile", "profiled", is_flag=True, help="Where the time of intake and worker goes, by function.")
def main(
    short: bool,
    seed: int,
    only: Workload | None,
    rounds: int | None,
    seconds: float | None,
    calls: int | None,
    profiled: bool,
) -> None:
    """Measure throughput, latency and the cost of a message, contender by contender in turns."""
    plan = (SHORT if short else LONG).changed(only, rounds, seconds)
    with as_one_line():
        if profiled:
            console.print(profile(default_catalog(), seed))
        else:
            bench(plan, seed, calls)


def bench(plan: Plan, seed: int, calls: int | None) -> None:
    """Runs, prints, writes. calls: of providers at a time, None for the usual."""
    catalog = default_catalog()
    products = read_products(catalog)
    days = make_days(products, plan.day_messages, seed, 1 + plan.rounds) if "standard" in plan.seconds else ()
    with open_stage(products, seed, calls) as stage:
        described = describe(stage) | {"catalogue": f"{catalog.name}, {len(products)} products", "seed": str(seed)}
        console.print(as_line(described))
        with Course(console, plan.steps) as course:
            contest = Contest(stage, Crowd(products, seed), days, plan, course)
            rounds = [contest.play_round() for _ in range(plan.rounds)]
            others = contest.other_chains() if plan.others else {}
    figures, cost = summary(rounds), costs(rounds)
    details = {
        "machine": described,
        "plan": asdict(plan),
        "facts": facts(rounds, cost),
        "other_chains": others,
        "costs": cost,
        "runs": [{f"{w}/{c}": round(run.rate, 1) for (c, w), run in one.runs.items()} for one in rounds],
    }
    write(RESULT, figures)
    write(DETAILS, details)
    console.print(as_tables(figures, details))
    console.print(f"Written to {RESULT} and {DETAILS}.")


def describe(stage: Stage) -> dict[str, str]:
    """The machine and the versions of everything on it."""
    with connect_redis(stage.configured.required("redis_url"), DURABLE_TIMEOUT_S) as client:
        return machine(stage.connection, client)


def write(path: Path, figures: dict[str, Any]) -> None:
    """Figures as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
