"""A process that has loaded the service and its libraries, and runs each program of ours in a fork: to load them takes
longer than most commands do, and more of the machine than anything else in the start of a worker. Nothing that it loads
reads a setting, so a program reads its own.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from worker.settings import settings

#: All but what reads a setting when it is loaded: `worker.app`, `worker.chain`, `worker.tasks`, `worker.periodic`.
LOADED = (
    "alembic.command",
    "celery.app.amqp",
    "celery.app.control",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.solo",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "grapheme",
    "kombu.transport.redis",
    "msgspec.structs",
    "orjson",
    "pydantic.main",
    "requests",
    "rich.progress",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "structlog",
    "tenacity",
    "worker.celery_ext.active_beat",
    "worker.celery_ext.queues",
    "worker.celery_ext.broker",
    "worker.celery_ext.micro_batch",
    "worker.celery_ext.processes",
    "worker.celery_ext.redaction",
    "worker.intake.intake",
    "worker.operate.cli",
    "worker.operate.doctor.examination",
    "worker.operate.exporter.server",
    "worker.precache.run",
    "worker.runtime.startup",
    "worker.shop.shop_file",
    "worker.steps",
)
MOST_BYTES = 128 * 1024
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Fork:
    """A running fork. told: pipe that hears how it has ended."""

    pid: int
    told: int


def serve(channel: socket.socket) -> None:
    """Takes [module, arguments, directory, environment] with standard input, output and error, and a pipe that is told
    the process id of the fork, and its exit code when it has ended; ends with the other end of the channel.
    """
    running: dict[int, Fork] = {}
    while True:
        for ready in select.select([channel, *running], [], [])[0]:
            if ready is not channel:
                reap(ready, running.pop(ready))
                continue
            content, streams, _, _ = socket.recv_fds(channel, MOST_BYTES, 4)
            if not content:
                return None
            told = streams.pop()
            pid = os.fork()
            if not pid:
                close(channel.detach(), told, *running, *(fork.told for fork in running.values()))
                return become(*json.loads(content), streams)
            close(*streams)
            tell(told, pid)
            running[os.pidfd_open(pid)] = Fork(pid, told)


def load() -> None:
    """Loads all."""
    for name in LOADED:
        import_module(name)
    assert not settings.cache_info().currsize, "a setting was read"
    gc.freeze()


def close(*descriptors: int) -> None:
    """Closes files."""
    for descriptor in descriptors:
        os.close(descriptor)


def reap(descriptor: int, fork: Fork) -> None:
    """Tells how a fork has ended."""
    tell(fork.told, os.waitstatus_to_exitcode(os.waitpid(fork.pid, 0)[1]))
    close(fork.told, descriptor)


def tell(pipe: int, number: int) -> None:
    """Writes a number into a pipe that may have nobody at its other end any more."""
    with suppress(BrokenPipeError):
        os.write(pipe, f"{number}\n".encode())


def become(module: str, arguments: list[str], directory: str, environ: dict[str, str], streams: list[int]) -> None:
    """In the fork: becomes the program, in a session of its own, which ends with the process that has loaded all."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
