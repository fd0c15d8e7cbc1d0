"""Rows of several threads that go on together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from helpers.basics import GUARD_S

from worker.celery_ext.micro_batch import MicroBatcher, Rows
from worker.errors import BrokerUnavailable

WAIT_S = 0.05


def rows(*numbers: int) -> Rows:
    """Rows that can be told apart."""
    return [{"row": number} for number in numbers]


def test_what_is_alone_goes_on_at_once() -> None:
    """Nothing else is under way, so nothing is waited for."""
    batches: list[Rows] = []
    waits: list[float] = []
    batcher = MicroBatcher(batches.append, WAIT_S, 10, waits.append)
    with batcher.working(2):
        batcher.add(rows(1, 2))
    with batcher.working(1):
        batcher.add(rows(3))
    assert (batches, waits) == ([rows(1, 2), rows(3)], [])


def test_what_comes_while_the_first_waits_goes_with_it() -> None:
    """In batches of a limited size; and the next rows are the first of a new batch."""
    batches: list[Rows] = []
    waits: list[float] = []

    def bring_more(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            batcher.add(rows(2))
            batcher.add(rows(3, 4))

    batcher = MicroBatcher(batches.append, WAIT_S, 3, bring_more)
    with batcher.working(6):
        batcher.add(rows(1))
        assert batches == [rows(1, 2, 3), rows(4)]
        batcher.add(rows(5))
    assert batches[2:] == [rows(5)]
    assert waits == [WAIT_S, WAIT_S]


def test_an_error_strikes_one_batch() -> None:
    """Whoever handed it on hears of it; the next goes on as if nothing had been."""
    batches: list[Rows] = []

    def refuse_first(batch: Rows) -> None:
        batches.append(batch)
        if len(batches) == 1:
            raise BrokerUnavailable("OSError")

    batcher = MicroBatcher(refuse_first, WAIT_S, 10)
    with batcher.working(1), pytest.raises(BrokerUnavailable, match="OSError"):
        batcher.add(rows(1))
    with batcher.working(1):
        batcher.add(rows(2))
    assert batches == [rows(1), rows(2)]


def test_nothing_is_lost_or_doubled_between_threads() -> None:
    """However they interleave."""
    batches: list[Rows] = []
    batcher = MicroBatcher(batches.append, 0.001, 7)
    begin = Event()

    def bring(first: int) -> None:
        begin.wait()
        with batcher.working(100):
            for number in range(first, first + 100):
                batcher.add(rows(number))

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(bring, 100 * thread) for thread in range(8)]
        begin.set()
        for each in done:
            each.result(GUARD_S)
    assert sorted(row["row"] for batch in batches for row in batch) == list(range(800))
    assert max(map(len, batches)) <= 7
