"""The list of faults, and what is made of a run of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from signal import SIGTERM
from statistics import median
from typing import Any, Final

from faults import cuts, injections
from faults.checker import Finding
from faults.injections import HOUR_S, Inject, NotInjected
from faults.play import Play, Round
from faults.points import POINTS
from faults.programs import INTAKES, PROCESSES, WORKERS
from faults.proxy import Proxy
from faults.town import Town

#: What has to be sent so that a place that is seldom passed is passed.
PROVOCATIONS: Final = {
    "begin_attempts": "stumble",
    "suspend_attempts": "stumble",
    "release_turns": "stumble",
    "sweep_turns": "stumble",
    "flight.end": "garbage",
    "breaker.record": "garbage",
}
#: Messages come over this time, so that somebody passes a point after it was armed.
ARMED_S: Final = 1.0
#: What stands for the whole in the short version.
SHORT: Final = {
    "intake killed": 1,
    "worker killed": 1,
    "worker child killed": 2,
    "process stopped past its lease": 1,
    "Redis killed": 1,
    "cache flushed": 1,
    "PostgreSQL restarted": 1,
    "PostgreSQL restarted before its answer": 1,
    "every link reset": 4,
    "link swallowed": 1,
    "answer lost": 3,
    "clock ahead": 1,
    "crash accept_messages.after": 1,
    "crash update_session_cache.before": 1,
    "crash update_session_cache.after": 1,
    "crash publish.after": 1,
    "crash begin_attempts.after": 1,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. times: how often it strikes; poison: what is sent with it; lasts_s: about how long it lasts;
    mend: run after the last.
    """

    name: str
    times: int
    inject: Inject
    poison: str | None = None
    lasts_s: float = 0.0
    mend: Callable[[Town], None] = Town.close_circuits

    def is_wanted(self, only: Sequence[str]) -> bool:
        """Whether one of these texts stands in its name, or there is none."""
        return not only or any(text.lower() in self.name.lower() for text in only)


@dataclass(slots=True)
class Result:
    """What came of one fault."""

    fault: str
    injected: int = 0
    messages: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """Findings of a kind."""
        return sum(finding.kind == kind for finding in self.findings)

    @property
    def figures(self) -> dict[str, Any]:
        """As it stands in build/faults.json."""
        recovery = {"median": 0.0, "max": 0.0}
        if self.recoveries_s:
            recovery = {"median": round(median(self.recoveries_s), 2), "max": round(max(self.recoveries_s), 2)}
        counts = {kind: self.count(kind) for kind in ("lost", "doubled", "out_of_order")}
        return {"fault": self.fault, "injected": self.injected, "messages": self.messages, **counts} | {
            "recovery_s": recovery
        }


def all_faults() -> list[Fault]:
    """Everything that must be survived, and how often."""
    return [*process_faults(), *server_faults(), *network_faults(), *crashes()]


def process_faults() -> list[Fault]:
    """Processes that end, stand still, or have a wrong clock."""
    return [
        Fault("intake killed", 13, injections.end(INTAKES)),
        Fault("worker killed", 13, injections.end(WORKERS)),
        Fault("worker child killed", 14, injections.kill_child),
        Fault("beat killed", 10, injections.end(("beat",))),
        Fault("process told to end", 5, injections.end(PROCESSES, SIGTERM)),
        Fault("process stopped past its lease", 20, injections.stop_and_go_on, lasts_s=injections.STOP_S),
        Fault("providers' worker away", 1, injections.stop_providers_worker, lasts_s=ARMED_S),
        Fault("clock ahead", 6, injections.shift_clock(HOUR_S), mend=injections.right_clocks),
        Fault("clock behind", 6, injections.shift_clock(-HOUR_S), mend=injections.right_clocks),
    ]


def server_faults() -> list[Fault]:
    """Servers that end, stand still, or forget."""
    away_s = injections.POSTGRES_AWAY_S
    return [
        Fault("Redis killed", 20, injections.kill_redis),
        Fault("Redis without its last second", 5, injections.cut_power_of_redis, lasts_s=ARMED_S),
        Fault("Redis blocked", 10, injections.block_redis, lasts_s=injections.BLOCK_S),
        Fault("cache flushed", 5, injections.flush_cache),
        Fault("cache killed", 3, injections.kill_cache, lasts_s=injections.CACHE_AWAY_S),
        Fault("PostgreSQL restarted", 5, injections.restart_postgres()),
        Fault(
            "PostgreSQL restarted before its answer", 5, cuts.lose_answer(cuts.COMMITTED, restart=True), lasts_s=ARMED_S
        ),
        Fault("PostgreSQL away", 2, injections.restart_postgres(away_s), lasts_s=away_s),
    ]


def network_faults() -> list[Fault]:
    """Connections between processes and servers."""
    lasts_s = cuts.CUT_S[1]
    return [
        Fault("link refused", 5, cuts.cut(Proxy.refuse), lasts_s=lasts_s),
        Fault("link reset", 5, cuts.cut(Proxy.reset), lasts_s=lasts_s),
        Fault("link swallowed", 5, cuts.cut(Proxy.swallow), lasts_s=lasts_s),
        Fault("link delayed", 5, cuts.cut(cuts.delay), lasts_s=lasts_s),
        Fault("every link reset", 5, cuts.reset_all),
        Fault("answer lost", 2 * len(cuts.ANSWERS), cuts.lose_answer(), lasts_s=ARMED_S),
    ]


def crashes() -> list[Fault]:
    """Processes that kill themselves at a named point."""
    return [Fault(f"crash {point}", 5, injections.crash(point), _provocation(point), ARMED_S) for point in POINTS]


def short_faults() -> list[Fault]:
    """A handful of each kind."""
    faults = {fault.name: fault for fault in all_faults()}
    return [replace(faults[name], times=times) for name, times in SHORT.items()]


def _provocation(point: str) -> str | None:
    return PROVOCATIONS.get(point.rpartition(".")[0])


def suffer(play: Play, faults: Sequence[Fault], look: Callable[[], None]) -> Iterator[Result]:
    """One fault after the other, each with its rounds and, when all has come to rest, the check. look: called after
    every round.
    """
    for fault in faults:
        yield _suffer(play, fault, look)


def _suffer(play: Play, fault: Fault, look: Callable[[], None]) -> Result:
    result = Result(fault.name)
    for _ in range(fault.times):
        try:
            brought = play.round(lambda: fault.inject(play), fault.poison, fault.lasts_s)
        except (NotInjected, AssertionError) as exc:
            result.findings.append(Finding("wrong", f"not injected: {exc}"))
        else:
            _note(result, brought)
        look()
    fault.mend(play.town)
    if not play.settle():
        result.findings.append(Finding("wrong", "something is still under way long after the last fault"))
    result.findings += play.check()
    if result.findings:
        # What this fault has broken for good shall not be counted against the next.
        play.town.restart_processes()
        play.settle()
        play.check()
    return result


def _note(result: Result, brought: Round) -> None:
    result.injected += 1
    result.messages += brought.messages
    result.recoveries_s.append(brought.recovery_s)
    result.findings += [Finding("wrong", f"{each} has not ended after 60 s") for each in brought.late]
