"""The contest: what is played in a round, how long, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from bench.chains import TUNED, PlainFlow, open_empty_chain, open_plain
from bench.crowd import Crowd, Written
from bench.gateway import unseen
from bench.ours import LATENCY_MS, Service, open_service
from bench.progress import Course
from bench.rounds import Contender, Round, Workload, percentile
from bench.runs import Run
from bench.stage import Stage
from bench.workload import DAY_MESSAGES, Message

#: Processes that do the tasks, the same for everybody: one per core of the machine for which the goals are set.
PROCESSES: Final = 2
#: Messages per second expected before anything is known; a first round is a little longer or shorter for it.
EXPECTED: Final[Mapping[tuple[Contender, Workload], float]] = {
    ("empty_chain", "cached"): 250,
    ("plain", "cached"): 60,
    ("plain", "standard"): 25,
    ("plain", "missed"): 7,
    ("ours", "cached"): 3_000,
    ("ours", "standard"): 1_200,
    ("ours", "missed"): 400,
}
WARM_UP_S: Final = 1.0
#: So few that no hanging call reaches its time limit meanwhile, which would open its circuit.
WHILE_HANGING: Final = 50
LEAST: Final = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. seconds: of each run, by workload; one_by_one: messages sent one at a time; half_load_s:
    seconds at half of the highest throughput; day_messages: of a day of the standard workload; questions: different
    ones in the workload that is all cached; others: whether other settings of the empty chain are listed too.
    """

    rounds: int
    seconds: Mapping[Workload, float]
    one_by_one: int
    half_load_s: float
    day_messages: int
    questions: int
    others: bool = False

    @property
    def steps(self) -> int:
        """Runs that will end."""
        latencies = 3 if "cached" in self.seconds else 0
        return self.rounds * (2 + 2 * len(self.seconds) + latencies) + (len(OTHERS) if self.others else 0)

    def changed(self, only: Workload | None, rounds: int | None, seconds: float | None) -> Plan:
        """The plan with one workload alone, another number of rounds, other seconds for each run."""
        each = {name: seconds or usual for name, usual in self.seconds.items() if only in (None, name)}
        half_load_s = seconds or self.half_load_s
        return replace(self, seconds=each, rounds=rounds or self.rounds, half_load_s=half_load_s)


LONG: Final = Plan(4, {"cached": 10, "standard": 16, "missed": 10}, 100, 8, DAY_MESSAGES, 400, others=True)
SHORT: Final = Plan(2, {"cached": 4, "standard": 8, "missed": 4}, 50, 3, DAY_MESSAGES, 150)
#: Other ways to run the empty chain, listed for information: processes, options, whether results are kept.
OTHERS: Final[Mapping[str, tuple[int, Sequence[str], bool]]] = {
    "1 process": (1, (), False),
    "4 processes": (4, (), False),
    "2 processes, tuned": (2, TUNED, False),
    "2 processes, results kept": (2, (), True),
    "2 processes, a log line for each task": (2, ("-l", "INFO"), False),
}


class Contest:
    """Rounds on one stage. What one round has measured tells the next how many messages fill its time."""

    def __init__(
        self, stage: Stage, crowd: Crowd, days: Sequence[Sequence[Message]], plan: Plan, course: Course
    ) -> None:
        self._stage = stage
        self._crowd = crowd
        self._days = list(days)
        self._plan = plan
        self._course = course
        self._rng = Random(plan.rounds)
        self._rates = dict(EXPECTED)
        self._asked = crowd.questions(plan.questions)
        self._questions: list[str] = []
        self._round = 0

    def play_round(self) -> Round:
        """The empty chain, plain, the empty chain again, and the service."""
        self._round += 1
        found = Round()
        self._play_empty_chain(found)
        with open_plain(self._stage, PROCESSES) as flow:
            self._play_plain(flow, found)
        self._play_empty_chain(found)
        with open_service(self._stage, PROCESSES) as service:
            self._play_service(service, found)
        return found

    def other_chains(self) -> dict[str, float]:
        """Messages per second of the empty chain run in other ways."""
        rates = {}
        for name, (processes, options, results) in OTHERS.items():
            with open_empty_chain(self._stage, processes, options, results=results) as chain:
                count = self._count("empty_chain", "cached", WARM_UP_S * 5)
                self._course.begin(f"empty chain, {name}", count)
                chain.play(LEAST)
                rates[name] = round(chain.play(count).rate, 1)
                self._course.end(f"empty chain, {name}: {rates[name]:,.1f}/s")
        return rates

    def _play_empty_chain(self, found: Round) -> None:
        """Half of its time, since it is played before each of the others: a machine that becomes slower meanwhile is
        slower for all. It does not look at messages, so it stands beside every workload.
        """
        with open_empty_chain(self._stage, PROCESSES) as chain:
            chain.play(self._count("empty_chain", "cached", WARM_UP_S))
            count = self._count("empty_chain", "cached", max(self._plan.seconds.values()) / 2)
            self._course.begin(self._named("empty_chain", "cached"), count)
            run = chain.play(count)
            self._note("empty_chain", "cached", run)
            if "cached" in self._plan.seconds and not found.runs:
                took_ms = chain.one_by_one(self._plan.one_by_one, self._rng)
                self._note_latencies(found, {"one_empty_chain": percentile(took_ms, 0.5)})
        for workload in self._plan.seconds:
            before = found.runs.get(("empty_chain", workload))
            found.runs["empty_chain", workload] = before.joined(run) if before else run

    def _play_plain(self, flow: PlainFlow, found: Round) -> None:
        if self._round == 1:
            flow.remember(self._asked)
            flow.remember([message.text for message in (self._days[0] if self._days else ())])
        self._stage.simulate(mode="ok", latency_ms=LATENCY_MS)
        flow.play(self._crowd.asking(self._asked, self._count("plain", "cached", WARM_UP_S)), unseen)
        for workload in self._plan.seconds:
            self._run("plain", workload, found, flow, self._asked)

    def _play_service(self, service: Service, found: Round) -> None:
        if self._round == 1:
            self._prepare(service)
        warm_up = self._crowd.asking(self._questions, self._count("ours", "cached", WARM_UP_S))
        service.play(warm_up, unseen)
        for workload in self._plan.seconds:
            self._run("ours", workload, found, service, self._questions)
            if workload == "cached":
                self._play_latencies(service, found)

    def _prepare(self, service: Service) -> None:
        """Lets others have asked before: the questions of the cached workload, and a first day."""
        self._course.begin("first questions", len(self._asked))
        self._questions = service.answered_from_cache(self._crowd, self._asked, self._course.look)
        if self._days:
            first = self._crowd.day(self._days[0], self._plan.day_messages)
            self._course.begin("first day", len(first))
            service.prepare(first, self._course.look)

    def _play_latencies(self, service: Service, found: Round) -> None:
        single = self._crowd.asking(self._questions, self._plan.one_by_one)
        one = percentile(service.gateway.one_by_one(single, self._rng), 0.5)
        self._note_latencies(found, {"one_cached": one})
        with service.hanging(self._crowd):
            single = self._crowd.asking(self._questions, WHILE_HANGING)
            hanging = percentile(service.gateway.one_by_one(single, self._rng), 0.5)
        rate = found.runs["ours", "cached"].rate / 2
        messages = self._crowd.asking(self._questions, int(rate * self._plan.half_load_s))
        self._course.begin("ours at half load", len(messages))
        took_ms = service.gateway.at_rate(messages, rate, self._rng, self._course.look).latencies_ms
        half = {"half_load_p50": percentile(took_ms, 0.5), "half_load_p99": percentile(took_ms, 0.99)}
        self._note_latencies(found, {"one_cached_while_providers_hang": hanging, **half})

    def _run(
        self,
        contender: Contender,
        workload: Workload,
        found: Round,
        player: PlainFlow | Service,
        questions: Sequence[str],
    ) -> None:
        messages = self._messages(contender, workload, questions)
        self._course.begin(self._named(contender, workload), len(messages))
        run = found.runs[contender, workload] = player.play(messages, self._course.look)
        self._note(contender, workload, run)

    def _messages(self, contender: Contender, workload: Workload, questions: Sequence[str]) -> list[Written]:
        count = self._count(contender, workload, self._plan.seconds[workload])
        if workload == "cached":
            return self._crowd.asking(questions, count)
        if workload == "missed":
            return self._crowd.never_asked(count)
        return self._crowd.day(self._days[self._round], count)

    def _count(self, contender: Contender, workload: Workload, seconds: float) -> int:
        return max(LEAST, int(self._rates[contender, workload] * seconds))

    def _named(self, contender: Contender, workload: Workload) -> str:
        said = "empty chain" if contender == "empty_chain" else f"{contender}, {workload}"
        return f"round {self._round}: {said}"

    def _note(self, contender: Contender, workload: Workload, run: Run) -> None:
        self._rates[contender, workload] = run.rate
        self._course.end(
            f"{self._named(contender, workload)}: {run.rate:,.1f}/s ({run.messages:,} in {run.took_s:.1f} s)"
        )

    def _note_latencies(self, found: Round, latency_ms: Mapping[str, float]) -> None:
        found.latency_ms.update(latency_ms)
        said = ", ".join(f"{name} {value:.1f} ms" for name, value in latency_ms.items())
        self._course.end(f"round {self._round}: {said}")
