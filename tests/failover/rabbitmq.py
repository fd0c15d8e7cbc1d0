"""A RabbitMQ with Celery's queues as quorum queues; one node, so that its death is the death of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.play import Play
from faults.suite import Fault
from helpers.rabbit import PROGRAMS, Rabbit, rabbitmq

from failover.server_set import TIMES, ServerSet
from worker.runtime.embedded.servers import embedded_servers

LASTS_S = 6.0


class RabbitSet(ServerSet):
    """RabbitMQ."""

    name = "RabbitMQ"
    by_celery = 0.1
    short = ("node killed",)
    node: Rabbit

    @property
    def missing(self) -> str | None:
        """See ServerSet.missing."""
        return super().missing if (PROGRAMS / "rabbitmq-server").exists() else "no RabbitMQ (Debian's rabbitmq-server)"

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        with embedded_servers(directory) as servers, rabbitmq(directory) as self.node:
            urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
            yield {name: str(url) for name, url in urls.items()} | {"BROKER_URL": self.node.url}

    def faults(self) -> list[Fault]:
        """See ServerSet.faults."""
        return [
            Fault("node killed", TIMES, _strike(self._kill), lasts_s=LASTS_S),
            Fault("node restarted", TIMES, _strike(self._restart), lasts_s=LASTS_S),
        ]

    def _kill(self) -> None:
        self.node.kill()
        self.node.start()

    def _restart(self) -> None:
        self.node.control("stop_app")
        self.node.control("start_app")


def _strike(how: Callable[[], None]) -> Callable[[Play], float]:
    def inject(_play: Play) -> float:
        at = time.time()
        how()
        return at

    return inject
