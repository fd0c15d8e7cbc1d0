"""Circuit breakers on a real Redis: how one closes again. Its own figures are set back where time must pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from helpers.circuit import DOWN, FAST_MS, KEY, NAME, Circuit

from worker.errors import ProviderDenied, RequestRefused
from worker.providers.circuit_rules import PROBE_MS, Permit


@pytest.fixture
def circuit(redis_client: redis.Redis) -> Circuit:
    """The closed circuit of a provider nobody has called yet."""
    return Circuit(redis_client)


def test_half_open_gives_one_probe_at_a_time(circuit: Circuit) -> None:
    """Two in a row that succeed close the circuit for all."""
    circuit.open()
    probe = circuit.permit("first")
    assert circuit.is_shut_to("second")
    assert (circuit.figures()["state"], circuit.figures()["probe"]) == ("half_open", "first")
    circuit.breaker.succeeded(probe, FAST_MS)
    probe = circuit.permit("second")
    assert circuit.is_shut_to("third")
    circuit.breaker.succeeded(probe, FAST_MS)
    assert circuit.changes == [(NAME, "open"), (NAME, "closed")]
    circuit.fail(4)
    assert not circuit.is_shut_to("third")


def test_a_probe_that_fails_after_one_that_succeeded_opens_again(circuit: Circuit) -> None:
    """And the next opening needs two again."""
    circuit.open()
    circuit.succeed()
    circuit.fail()
    assert circuit.is_shut_to()
    circuit.wait_is_over()
    circuit.succeed()
    assert circuit.figures()["state"] == "half_open"


def test_one_probe_however_many_ask_at_once(circuit: Circuit) -> None:
    """Forty callers in eight threads."""
    circuit.open()
    with ThreadPoolExecutor(8) as pool:
        permits = list(pool.map(lambda number: circuit.breaker.permit(NAME, str(number)), range(40)))
    assert sum(isinstance(permit, Permit) for permit in permits) == 1


def test_a_probe_that_never_reports_is_followed_by_another(circuit: Circuit) -> None:
    """Its process may have been killed; if it was only slow, its result counts no more."""
    circuit.open()
    slow = circuit.permit("slow")
    assert circuit.left_ms("probe_until_ms") == pytest.approx(PROBE_MS, abs=1_000)
    circuit.client.hset(KEY, "probe_until_ms", 0)
    circuit.permit("next")
    circuit.breaker.failed(slow, DOWN, FAST_MS)
    assert circuit.figures()["state"] == "half_open"


@pytest.mark.parametrize("how", ["released", "refused"])
def test_a_probe_that_told_nothing_is_free_for_the_next(circuit: Circuit, how: str) -> None:
    """It was not used, or the request was at fault."""
    circuit.open()
    probe = circuit.permit("first")
    if how == "released":
        circuit.breaker.released(probe)
    else:
        circuit.breaker.failed(probe, RequestRefused(NAME, "HTTP 400"), FAST_MS)
    assert circuit.figures()["state"] == "half_open"
    assert not circuit.is_shut_to("second")


def test_each_failed_probe_doubles_the_wait(circuit: Circuit) -> None:
    """Up to five minutes; a recovery starts from the beginning."""
    circuit.open()
    waits = []
    for _ in range(8):
        circuit.fail()
        waits.append(circuit.left_ms())
        circuit.wait_is_over()
    assert waits == pytest.approx([min(10_000 * 2**number, 300_000) for number in range(8)], abs=1_000)
    assert circuit.figures()["trips"] == "9"
    circuit.succeed(2)
    circuit.fail(5)
    assert circuit.left_ms() == pytest.approx(5_000, abs=1_000)


@pytest.mark.parametrize(("jitter", "wait_ms"), [(0.0, 4_000), (1.0, 6_000)])
def test_a_fleet_does_not_come_back_in_step(circuit: Circuit, jitter: float, wait_ms: int) -> None:
    """The wait is up to a fifth shorter or longer."""
    circuit.jitter = jitter
    circuit.fail(5)
    assert circuit.left_ms() == pytest.approx(wait_ms, abs=900)


def test_a_result_from_before_the_opening_changes_nothing(circuit: Circuit) -> None:
    """Calls that were under way when the circuit opened tell nothing about now."""
    slow = circuit.permit("slow")
    circuit.fail(5)
    before = circuit.figures()
    circuit.breaker.succeeded(slow, FAST_MS)
    circuit.breaker.failed(slow, ProviderDenied(NAME, "HTTP 401"), FAST_MS)
    assert (circuit.figures(), circuit.changes) == (before, [(NAME, "open")])
    circuit.wait_is_over()
    circuit.succeed(2)
    circuit.breaker.failed(slow, ProviderDenied(NAME, "HTTP 401"), FAST_MS)
    assert circuit.changes == [(NAME, "open"), (NAME, "closed")]
