"""`make failover`: servers of which another takes over die under load, and nothing may be lost.

Exits 0 if so, 1 with a line for each reason if not. Writes build/failover.json.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click
import structlog
from faults.report import Report, console, reported, workplace
from faults.suite import Fault, Result, suffer

from failover.server_set import ServerSet
from failover.suite import ROUND_MESSAGES, all_sets, open_play
from worker.errors import ChasquiError
from worker.operate.commands.terminal import interrupting

Chosen = list[tuple[ServerSet, list[Fault]]]
HELP = """Let servers die of which another takes over, and check what the service has promised.

Sets of real servers, one after the other, each with the whole service on it and customers who write while it breaks:

\b
Cluster     Redis Cluster, 3 masters with a replica each: the master of a stream
            is killed, its slot moves, its replica is promoted by hand.
Sentinel    a Redis with 2 replicas under 3 Sentinels, for streams, caches and
            Celery's queues: the master is killed, says nothing, or is cut off
            from the others while its clients reach it.
PostgreSQL  a primary with a synchronous standby: it is killed, demoted alive,
            killed while its standby lags.
RabbitMQ    one node: killed, restarted. Skipped where it is not installed.

Each kind strikes 10 times; all take about 20 minutes on two cores. The gateway does what docs/gateway.md says: it keeps
what was not confirmed, by a replica where there is one, and sends it again under its id. Leases are 3 s here in the
place of 15 s, so that a round is short: what was just being worked on when a server died waits that much longer in
production.

A row of the table: how often it struck, messages written meanwhile, how many of them were lost, answered twice or out
of order, and the seconds from the strike until everything written before and meanwhile was answered. The same rows
stand in build/failover.json; what the processes logged, in build/failover-<set>.log.

Examples:

\b
  make failover                     all of it
  make failover ONLY=sentinel       one set
  make failover ONLY=killed SEED=7  the deaths alone, at other moments
  make failover SHORT=1             a few kinds, once each: 2 minutes
"""


@click.command(help=HELP)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed: other messages, other moments.")
@click.option("--only", metavar="TEXT", multiple=True, help="Only faults with TEXT in their name; may be repeated.")
@click.option("--short", is_flag=True, help="A few kinds, once each, as `make test` runs it.")
@click.option("--messages", type=click.IntRange(2), default=ROUND_MESSAGES, show_default=True, help="Of each round.")
def main(seed: int, only: Sequence[str], short: bool, messages: int) -> None:
    """See HELP."""
    chosen = [(servers, faults) for servers in all_sets() if (faults := wanted(servers, only, short=short))]
    if not chosen:
        raise click.UsageError("no fault has such a name")
    # What the supervisor says of its children's deaths is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with interrupting():
            results = run(seed, chosen, messages)
    except ChasquiError as exc:
        raise click.ClickException(str(exc)) from exc
    sys.exit(1 if any(result.findings for result in results) else 0)


def wanted(servers: ServerSet, only: Sequence[str], *, short: bool) -> list[Fault]:
    """Those faults of a set that were asked for."""
    return [fault for fault in servers.named_faults(short=short) if fault.is_wanted(only)]


def run(seed: int, chosen: Chosen, messages: int) -> list[Result]:
    """All sets, each with a town of its own: a line for each fault, and the file."""
    present = [(servers, faults) for servers, faults in chosen if servers.missing is None]
    with reported("failover", [fault for _, faults in present for fault in faults]) as report:
        for servers, faults in present:
            _play(report, servers, faults, seed, messages)
        for servers, _ in chosen:
            if servers.missing:
                console.print(f"{servers.name}: skipped, {servers.missing}")
    return report.results


def _play(report: Report, servers: ServerSet, faults: list[Fault], seed: int, messages: int) -> None:
    name = f"failover-{servers.name.lower()}"
    with workplace(name) as directory, open_play(servers, directory, seed, messages) as play:
        report.take(suffer(play, faults, report.advance))


if __name__ == "__main__":
    main()
