"""The sets of the trial, and what is made of a run over one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from faults.play import Play, playing
from faults.town import open_town_on
from faults.workload import BAD, CUSTOMERS, Workload

from failover.cluster import ClusterSet
from failover.postgres import PostgresSet
from failover.rabbitmq import RabbitSet
from failover.sentinel import SentinelSet
from failover.server_set import ServerSet

#: Of each round, spread over the time in which another server takes over.
ROUND_MESSAGES: Final = 60


def all_sets() -> list[ServerSet]:
    """Everything that may die and be followed."""
    return [ClusterSet(), SentinelSet(), PostgresSet(), RabbitSet()]


@contextmanager
def open_play(
    servers: ServerSet, directory: Path, seed: int, messages: int = ROUND_MESSAGES, customers: int = CUSTOMERS
) -> Iterator[Play]:
    """A town on these servers, ready for the first round. What kills or hangs a worker is the fault suite's subject:
    here it would only hide how long a failover takes.
    """
    workload = Workload(seed, f"wamid.failover{seed}", customers, BAD, servers.by_celery)
    with (
        servers.open(directory) as settings,
        open_town_on(directory, seed, settings) as town,
        playing(town, workload, messages, servers.patience) as play,
    ):
        yield play
