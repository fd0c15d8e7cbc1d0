"""`chasqui report`, over a window of time as people type it: `--since 24h`, `--from 2026-11-01 --to 2026-11-02`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import click
from rich.console import Group
from rich.table import Table

from worker.messages.delivery import FAILURES
from worker.operate.commands.terminal import database, json_option, print_result
from worker.operate.display import duration
from worker.providers.pricing import BASELINE_MODEL
from worker.telemetry.report import DEFAULT_WINDOW_S, make_report

Json = dict[str, Any]
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
LENGTH = re.compile(r"(\d{1,9})([smhdw])")
LONGEST = timedelta(days=36_500)


def length(value: str) -> timedelta:
    """Reads a length of time like `90s`, `30m`, `24h`, `7d` or `4w`, at most a hundred years. Raises BadParameter."""
    found = LENGTH.fullmatch(value.strip().lower())
    given = timedelta(seconds=int(found[1]) * UNITS_S[found[2]]) if found else timedelta()
    if not timedelta() < given <= LONGEST:
        raise click.BadParameter(f"{value!r} is no length of time: write 90s, 30m, 24h, 7d or 4w")
    return given


def moment(value: str) -> datetime:
    """Reads a moment in ISO 8601, in UTC where it names no zone. Raises BadParameter."""
    try:
        given = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write 2026-11-01, 2026-11-01T09:30 or 2026-11-01T09:30-03:00"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def window_of(
    since: timedelta | None, begin: datetime | None, end: datetime | None, now: datetime, default_s: float
) -> tuple[float, datetime | None]:
    """Returns the length in seconds of the window that was asked for, and its end, None for now. Raises UsageError."""
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from both say where the window begins: give one of them")
    if begin is None:
        return since.total_seconds() if since else default_s, end
    given = (end or now) - begin
    if not timedelta() < given <= LONGEST:
        raise click.UsageError("the window must begin before it ends, and not a hundred years before")
    return given.total_seconds(), end


@click.command()
@json_option
@click.option("--window", "window_s", type=click.IntRange(1, 10**9), help="As --since, in seconds.")
@click.option(
    "--since", type=length, metavar="LENGTH", help="How far it reaches back: 90s, 30m, 24h (the default), 7d, 4w."
)
@click.option(
    "--from", "begin", type=moment, metavar="TIME", help="Where it begins: a time in ISO 8601, UTC if without zone."
)
@click.option("--to", "end", type=moment, metavar="TIME", help="Where the window ends; now if left out.")
def report(
    as_json: bool, window_s: int | None, since: timedelta | None, begin: datetime | None, end: datetime | None
) -> None:
    """Show what was answered, from where, how fast, and what it cost, in the last 24 hours or any other window."""
    if window_s is not None and (since or begin):
        raise click.UsageError("--window, --since and --from all say where the window begins: give one of them")
    length_s, until = window_of(since, begin, end, datetime.now(UTC), window_s or DEFAULT_WINDOW_S)
    with database() as connection:
        figures = make_report(connection, length_s, until)
    print_result(figures, as_tables(figures, until), as_json=as_json)


def as_tables(report: Json, until: datetime | None = None) -> Group:
    """Returns the report for a terminal. Its window ends at `until`, None for now."""
    length = duration(report["window_s"])
    overview = _table(f"{length} up to {until:%Y-%m-%d %H:%M %Z}" if until else f"Last {length}", "figure", "value")
    for name, value in (*_messages(report), *_service(report), *_costs(report)):
        overview.add_row(name, value)
    ai, calls = report["ai"], report["calls"]
    providers = [_provider_table(ai, report["costs"])] if ai["ai_provider_distribution"] else []
    return Group(overview, *providers, *([_call_table(calls)] if calls else []))


def _messages(report: Json) -> Iterator[tuple[str, str]]:
    yield "messages answered", f"{report['messages']:,}"
    yield from ((f"of them to number {name}", f"{messages:,}") for name, messages in report["channels"].items())
    yield from ((f"closed: {name.replace('_', ' ')}", f"{each:,}") for name, each in report["closed"].items() if each)
    yield "orders placed", f"{report['orders']['placed']:,}"
    yield from ((f"ordered in {name}", f"{Decimal(total):,}") for name, total in report["orders"]["total"].items())
    yield "cart changes made / refused / undone", _each(report["cart_operations"], "made", "refused", "undone")
    yield "replies sent / delivered / read", _each(report["delivery"], "sent", "delivered", "read")
    yield from (_failed_delivery(code, replies) for code, replies in report["delivery"]["failed"].items())


def _service(report: Json) -> Iterator[tuple[str, str]]:
    ai, sessions = report["ai"], report["sessions"]
    yield "AI cache hit rate", f"{ai['ai_cache_hit_rate']:.1f} %"
    yield "fallback replies", f"{ai['fallback_usage']:.1f} %"
    yield "circuit breaker trips", f"{ai['circuit_breaker_trips']:,}"
    yield "session cache hit rate", f"{sessions['session_cache_hit_rate']:.1f} %"
    yield "active sessions", f"{sessions['active_sessions']:,}"
    yield "average session", duration(sessions["average_session_duration_s"])
    yield "expired sessions cleaned", f"{sessions['expired_sessions_cleaned']:,}"


def _costs(report: Json) -> Iterator[tuple[str, str]]:
    costs, precache, latency = report["costs"], report["precache"], report["latency_ms"]
    yield "cost", f"$ {costs['total_usd']:.6f}"
    yield "cost per message", f"$ {costs['cost_per_request_usd']:.6f}"
    yield f"all {BASELINE_MODEL}, uncached", f"$ {costs['baseline_usd']:.6f}"
    yield "saved by the cache", f"{costs['cache_savings']:.1f} %"
    yield "saved in all", f"{costs['reduction']:.1f} %"
    yield "replies made ahead / asked for / in vain", _each(precache, "answered", "hits", "waste")
    spent = _each(precache, "cost_usd", "saved_usd", form="$ {:.6f}")
    yield "cost of replies made ahead / saved by them", spent
    yield "reply time p50 / p95 / p99", f"{latency['p50']:,} / {latency['p95']:,} / {latency['p99']:,} ms"


def _each(counts: Json, *names: str, form: str = "{:,}") -> str:
    return " / ".join(form.format(counts[name]) for name in names)


def _failed_delivery(code: str, replies: int) -> tuple[str, str]:
    words = FAILURES.get(int(code), "").partition(":")[0]
    return f"not delivered, {code} {words}".rstrip(), f"{replies:,}"


def _provider_table(ai: Json, costs: Json) -> Table:
    table = _table("Providers", "provider", "share", "mean time", "cost")
    for name, share in ai["ai_provider_distribution"].items():
        cost = costs["by_provider_usd"][name]
        table.add_row(name, f"{share:.1f} %", f"{ai['average_response_time_ms'][name]:,} ms", f"$ {cost:.6f}")
    return table


def _call_table(calls: Json) -> Table:
    table = _table("Calls of models", "model", "answered", "failed", "prompt cached", "cost")
    for provider, found in calls.items():
        for name, model in found["models"].items():
            failed = ", ".join(f"{count:,} {kind}" for kind, count in model["failed"].items() if count) or "0"
            cached, cost = f"{model['prompt_cache_rate']:.1f} %", f"$ {model['cost_usd']:.6f}"
            table.add_row(f"{provider}/{name}", f"{model['ok']:,}", failed, cached, cost)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
