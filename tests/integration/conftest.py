"""Simulated providers for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.answering import well_behaved

from worker.devkit.simulator import Simulator


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[Simulator]:
    """The providers of a module; a fixture of its own for each, so that nobody's threads are in another's way."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Well-behaved providers that nobody has called; no proxy of this machine stands before them."""
    monkeypatch.setenv("NO_PROXY", "*")
    return well_behaved(shared_simulator)
