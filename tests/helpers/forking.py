"""A process that has loaded the libraries of `chasqui` and runs each command in a fork: to load them takes longer than
most commands do. Of ours it has loaded nothing, so a command begins as `python -m worker` does.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
from importlib import import_module

LIBRARIES = (
    "alembic.command",
    "celery.app.amqp",
    "celery.app.control",
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
)
MOST_BYTES = 128 * 1024


def serve(channel: socket.socket) -> None:
    """Takes [arguments, directory, environment] with standard input, output and error; answers with the exit code."""
    for name in LIBRARIES:
        import_module(name)
    while True:
        content, streams, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
        if not content:
            return None
        pid = os.fork()
        if not pid:
            channel.close()
            return command(*json.loads(content), streams)
        for stream in streams:
            os.close(stream)
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def command(arguments: list[str], directory: str, environ: dict[str, str], streams: list[int]) -> None:
    """In the fork: becomes the command."""
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv[1:] = arguments
    runpy.run_module("worker", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
