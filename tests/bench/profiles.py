"""Where the time goes, function by function: the real service with two of its programs looked at while they work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson
from rich.console import Group
from rich.table import Table

from bench.crowd import Crowd
from bench.gateway import unseen
from bench.ours import open_programs
from bench.runs import Run
from bench.sampled import START
from bench.stage import Stage, open_stage
from worker.catalog.price_list import read_products
from worker.runtime.supervisor import Program, service_programs

WARM_UP: Final = 1_000
MESSAGES: Final = 8_000
QUESTIONS: Final = 150
SHOWN: Final = 45
#: What uses less of the time is not shown.
LEAST_SHARE: Final = 0.004
EVERYWHERE: Final = 0.8
INTAKE: Final = "intake"
Sample = tuple[str, int, int]


def profile(catalog: Path, seed: int) -> Group:
    """Tables of the functions that use most CPU over cached batches: of intake, and of a worker. Time in C counts for
    the Python function that called it.
    """
    products = read_products(catalog)
    with open_stage(products, seed) as stage:
        programs = service_programs(stage.directory, 1)
        files = {program.name: stage.directory / f"{program.name}.json" for program in programs if _looked_at(program)}
        run = _play(stage, Crowd(products, seed), [_under_samples(program, files) for program in programs], files)
        return Group(
            *(table for name, file in files.items() for table in _tables(name, orjson.loads(file.read_bytes()), run))
        )


def _looked_at(program: Program) -> bool:
    return program.name == INTAKE or any(queue.startswith("flow") for queue in program.argv)


def _under_samples(program: Program, files: dict[str, Path]) -> Program:
    """The same program under `bench.sampled`."""
    if program.name not in files:
        return program
    python, _, *arguments = program.argv
    return replace(program, argv=(python, "-m", "bench.sampled", str(files[program.name]), *arguments))


def _play(stage: Stage, crowd: Crowd, programs: Sequence[Program], files: dict[str, Path]) -> Run:
    with open_programs(stage, programs) as service:
        questions = service.answered_from_cache(crowd, crowd.questions(QUESTIONS), unseen)
        service.play(crowd.asking(questions, WARM_UP), unseen)
        for child in service.supervisor.children:
            if child.program.name in files:
                child.process.send_signal(START)
        return service.play(crowd.asking(questions, MESSAGES), unseen)


def _tables(name: str, samples: Sequence[Sample], run: Run) -> Iterator[Table]:
    """By own time, and by time with callees; the loops in which all of it happens tell nothing and are left out."""
    seen = sum(own for _, own, _ in samples)
    us = 1_000 * run.cpu_ms.get(name, 0.0)
    title = f"{name}: {us:,.0f} us of CPU per message ({run.messages:,} messages, {seen:,} samples)"
    own = [sample for sample in samples if sample[1] >= LEAST_SHARE * seen]
    yield _table(f"{title}, by own time", own[:SHOWN], us / max(seen, 1))
    outer = sorted((sample for sample in samples if sample[2] < EVERYWHERE * seen), key=lambda sample: -sample[2])
    yield _table(f"{title}, with callees", outer[:SHOWN], us / max(seen, 1))


def _table(title: str, samples: Sequence[Sample], us_each: float) -> Table:
    table = Table("function", "own, us", "with callees, us", title=title)
    for function, own, everywhere in samples:
        table.add_row(function, f"{us_each * own:.1f}", f"{us_each * everywhere:.1f}")
    return table
