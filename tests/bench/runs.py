"""One measured run of a contender: how many messages in what time, and what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field

import psutil

from bench.gateway import Played
from bench.stage import Stage
from bench.usage import Load, load
from worker.runtime.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Cores:
    """What all cores did: seconds in which they worked for anybody, and in which they had nothing to do."""

    busy_s: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """rate: messages per second; cpu_ms: milliseconds of CPU per message by part; load: of PostgreSQL per message;
    sources: messages by where their replies came from; idle, others: shares of all cores' time, 0..1, that nobody used
    and that went to programs that have no part in the run.
    """

    messages: int
    took_s: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    load: Load = field(default_factory=lambda: Load(0, 0, 0))
    sources: Mapping[str, int] = field(default_factory=dict)
    idle: float = 0.0
    others: float = 0.0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.took_s

    def joined(self, other: Run) -> Run:
        """Two runs of one contender as one."""
        messages, took_s = self.messages + other.messages, self.took_s + other.took_s

        def per_message(mine: float, others: float) -> float:
            return (mine * self.messages + others * other.messages) / messages

        def of_the_time(mine: float, others: float) -> float:
            return (mine * self.took_s + others * other.took_s) / took_s

        parts = self.cpu_ms.keys() | other.cpu_ms.keys()
        return Run(
            messages,
            took_s,
            {part: per_message(self.cpu_ms.get(part, 0), other.cpu_ms.get(part, 0)) for part in parts},
            Load(*map(per_message, astuple(self.load), astuple(other.load))),
            Counter(self.sources) + Counter(other.sources),
            of_the_time(self.idle, other.idle),
            of_the_time(self.others, other.others),
        )


def measured(stage: Stage, supervisor: Supervisor, play: Callable[[], Played]) -> Run:
    """What a run of `play` takes, with the programs of this supervisor."""
    load_before, used_before, cores_before = (
        load(stage.connection),
        stage.cast.cpu_s(supervisor, stage.simulator),
        _cores(),
    )
    played = play()
    cores, used, load_after = _cores(), stage.cast.cpu_s(supervisor, stage.simulator), load(stage.connection)
    spent_s = {part: now - used_before.get(part, 0) for part, now in used.items()}
    busy_s, idle_s = cores.busy_s - cores_before.busy_s, cores.idle_s - cores_before.idle_s
    all_s = max(busy_s + idle_s, 0.01)
    return Run(
        messages=played.answered,
        took_s=played.took_s,
        cpu_ms={part: spent * 1_000 / played.answered for part, spent in spent_s.items()},
        load=load_after.per(load_before, played.answered),
        sources=dict(played.sources),
        idle=idle_s / all_s,
        others=max(busy_s - sum(spent_s.values()), 0) / all_s,
    )


def _cores() -> Cores:
    times = psutil.cpu_times()
    idle_s = times.idle + times.iowait
    return Cores(sum(times[:8]) - idle_s, idle_s)
