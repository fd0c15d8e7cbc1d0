"""The figures of the benchmark for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, Final

from rich.console import Group
from rich.table import Table

from bench.ours import LATENCY_MS
from bench.rounds import CONTENDERS, WORKLOADS, Round, spread

Spread = Mapping[str, float]
#: Calls of providers side by side for which the goal of the workload that is all missed was set.
GOAL_CALLS: Final = 32
NAMES: Final = {"empty_chain": "empty chain", "plain": "plain", "ours": "Chasqui"}
#: Lines of the table of one message's CPU time that are one program's, in the order of a message's way.
FIRST: Final = ("driver", "intake", "worker", "worker pool", "worker-ai", "beat", "simulator", "redis", "postgres")


def facts(rounds: Sequence[Round], costs: Mapping[str, Any]) -> dict[str, Any]:
    """What the goals speak of besides rates: latency beside the empty chain's, how near the providers' limit, how many
    times the CPU of our messages an empty chain takes (which tells least of other programs on the machine), and how
    much less PostgreSQL has to do than for the plain flow (percent).
    """
    found: dict[str, Any] = {}
    singles = [one.latency_ms for one in rounds if "one_cached" in one.latency_ms]
    if singles:
        found["one_cached_vs_empty_chain"] = spread([ms["one_cached"] / ms["one_empty_chain"] for ms in singles])
        found["half_load_p99_vs_p50"] = spread([ms["half_load_p99"] / ms["half_load_p50"] for ms in singles])
    missed = [run.rate for one in rounds if (run := one.runs.get(("ours", "missed")))]
    if missed:
        allowed = GOAL_CALLS / (mean(LATENCY_MS) / 1_000)
        found["missed_share_of_what_32_calls_allow"] = spread([rate / allowed for rate in missed])
    for workload in WORKLOADS:
        if {f"{workload}/ours", f"{workload}/empty_chain"} <= costs.keys():
            both = (costs[f"{workload}/{name}"]["cpu_ms_total"] for name in ("empty_chain", "ours"))
            found[f"{workload}_cpu_empty_chain_vs_ours"] = round(next(both) / next(both), 2)
    if {"cached/ours", "cached/plain"} <= costs.keys():
        ours, plain = costs["cached/ours"], costs["cached/plain"]
        found["postgres_reduction_percent"] = {
            "commits": _less(ours["postgres"]["commits"], plain["postgres"]["commits"]),
            "writes": _less(ours["postgres"]["writes"], plain["postgres"]["writes"]),
            "cpu": _less(ours["cpu_ms"]["postgres"], plain["cpu_ms"]["postgres"]),
        }
    return found


def _less(ours: float, theirs: float) -> float:
    return round(100 * (1 - ours / theirs), 1) if theirs else 0.0


def as_tables(figures: Mapping[str, Any], details: Mapping[str, Any]) -> Group:
    """Everything that was measured."""
    return Group(
        _throughput(figures["throughput"]),
        _spreads("Ratios, round by round", {**figures["ratios"], **_spread_facts(details["facts"])}),
        *([_spreads("Latency, ms", figures["latency_ms"])] if figures["latency_ms"] else ()),
        *(_cpu(workload, details["costs"]) for workload in figures["throughput"]),
        _postgres(details["costs"], details["facts"].get("postgres_reduction_percent", {})),
        *(f"Empty chain, {name}: {rate:,.1f}/s" for name, rate in details["other_chains"].items()),
        *(f"{name.replace('_', ' ')}: {value}" for name, value in details["facts"].items() if isinstance(value, float)),
    )


def _spread_facts(found: Mapping[str, Any]) -> dict[str, Spread]:
    return {name: value for name, value in found.items() if isinstance(value, dict) and "median" in value}


def _throughput(throughput: Mapping[str, Mapping[str, Spread]]) -> Table:
    table = Table(title="Messages per second: median (least to most)")
    for heading in ("workload", *NAMES.values()):
        table.add_column(heading)
    for workload, rates in throughput.items():
        table.add_row(workload, *(_said(rates.get(name)) for name in CONTENDERS))
    return table


def _spreads(title: str, spreads: Mapping[str, Spread]) -> Table:
    table = Table("", "median (least to most)", title=title)
    for name, value in spreads.items():
        table.add_row(name.replace("_", " "), _said(value, digits=2))
    return table


def _said(value: Spread | None, digits: int = 1) -> str:
    if value is None:
        return ""
    return f"{value['median']:,.{digits}f} ({value['min']:,.{digits}f} to {value['max']:,.{digits}f})"


def _cpu(workload: str, costs: Mapping[str, Any]) -> Table:
    """CPU time of one message by part, how much of the cores was left and what others took, and where replies came
    from.
    """
    found = {name: cost for name in CONTENDERS if (cost := costs.get(f"{workload}/{name}"))}
    table = Table(f"{workload}: CPU, ms per message", *(NAMES[name] for name in found))
    for part in dict.fromkeys((*FIRST, *(part for cost in found.values() for part in cost["cpu_ms"]))):
        table.add_row(part, *(f"{cost['cpu_ms'].get(part, 0):.3f}" for cost in found.values()))
    table.add_section()
    table.add_row("all", *(f"{cost['cpu_ms_total']:.3f}" for cost in found.values()))
    for name in ("idle", "others"):
        table.add_row(f"cores: {name}, %", *(f"{100 * cost['cores'][name]:.0f}" for cost in found.values()))
    for source in dict.fromkeys(source for cost in found.values() for source in cost["sources"]):
        table.add_row(f"from {source}, %", *(f"{100 * cost['sources'].get(source, 0):.1f}" for cost in found.values()))
    return table


def _postgres(costs: Mapping[str, Any], reduction: Mapping[str, float]) -> Table:
    less = ", ".join(f"{name} {percent}% less than plain" for name, percent in reduction.items())
    table = Table("PostgreSQL, per message", "commits", "that write", "log, bytes", "CPU, ms", caption=less or None)
    for name, cost in costs.items():
        load = cost["postgres"]
        if "empty_chain" in name:
            continue
        numbers = (f"{load['commits']:.3f}", f"{load['writes']:.3f}", f"{load['wal_bytes']:,.0f}")
        table.add_row(name, *numbers, f"{cost['cpu_ms'].get('postgres', 0):.3f}")
    return table
