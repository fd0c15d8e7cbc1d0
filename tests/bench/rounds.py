"""What a round brings, and what rounds together say: medians with ranges, and ratios pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final, Literal

from bench.runs import Run

Workload = Literal["cached", "standard", "missed"]
WORKLOADS: Final[tuple[Workload, ...]] = ("cached", "standard", "missed")
Contender = Literal["empty_chain", "plain", "ours"]
CONTENDERS: Final[tuple[Contender, ...]] = ("empty_chain", "plain", "ours")
#: Ratios of throughput: over and under, each a contender on a workload.
RATIOS: Final[Mapping[str, tuple[tuple[Contender, Workload], tuple[Contender, Workload]]]] = {
    "cached_vs_empty_chain": (("ours", "cached"), ("empty_chain", "cached")),
    "standard_vs_empty_chain": (("ours", "standard"), ("empty_chain", "standard")),
    "cached_vs_plain": (("ours", "cached"), ("plain", "cached")),
}


@dataclass(slots=True)
class Round:
    """All contenders once. runs: by contender and workload; latency_ms: figures by name; at_once: the most provider
    calls that were under way together while all was missed.
    """

    runs: dict[tuple[Contender, Workload], Run] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    at_once: int = 0

    def ratio(self, name: str) -> float | None:
        """One of RATIOS; None where this round did not measure both."""
        over, under = (self.runs.get(side) for side in RATIOS[name])
        return over.rate / under.rate if over and under else None


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max, rounded to a hundredth."""
    figures = {"min": min(values), "median": median(values), "max": max(values)}
    return {name: round(value, 2) for name, value in figures.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share (0..1) of all."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """`build/bench.json`: what was not measured is absent."""
    return {
        "throughput": {
            workload: {
                contender: spread(rates)
                for contender in CONTENDERS
                if (rates := [one.runs[key].rate for one in rounds if (key := (contender, workload)) in one.runs])
            }
            for workload in WORKLOADS
            if any(played == workload for one in rounds for _, played in one.runs)
        },
        "ratios": {
            name: spread(ratios)
            for name in RATIOS
            if (ratios := [ratio for one in rounds if (ratio := one.ratio(name)) is not None])
        },
        "latency_ms": {
            name: spread([one.latency_ms[name] for one in rounds if name in one.latency_ms])
            for name in dict.fromkeys(name for one in rounds for name in one.latency_ms)
        },
    }


def costs(rounds: Sequence[Round]) -> dict[str, Any]:
    """What a message costs, by workload and contender; medians over the rounds."""
    keys = [(contender, workload) for workload in WORKLOADS for contender in CONTENDERS]
    found = {key: [one.runs[key] for one in rounds if key in one.runs] for key in keys}
    return {f"{workload}/{contender}": _cost(runs) for (contender, workload), runs in found.items() if runs}


def _cost(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "messages": [run.messages for run in runs],
        "cpu_ms": _middles([run.cpu_ms for run in runs]),
        "cpu_ms_total": round(median(sum(run.cpu_ms.values()) for run in runs), 3),
        "postgres": _middles([asdict(run.load) for run in runs]),
        "sources": _middles([{name: n / run.messages for name, n in run.sources.items()} for run in runs]),
        "cores": _middles([{"idle": run.idle, "others": run.others} for run in runs]),
    }


def _middles(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure; one that is absent somewhere is nought there."""
    names = dict.fromkeys(name for figures in found for name in figures)
    return {name: round(median(figures.get(name, 0.0) for figures in found), 3) for name in names}
