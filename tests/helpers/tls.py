"""TLS in front of servers that speak none: what a shop's own Redis and PostgreSQL look like from outside."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from helpers.basics import GUARD_S

#: PostgreSQL's request for TLS: its length and a code, before anything else is said.
POSTGRES_ASKS = bytes.fromhex("0000000804d2162f")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that signs itself, for 127.0.0.1, and its key."""

    file: Path
    key: Path


def certificate(directory: Path, name: str = "server") -> Certificate:
    """A new one, made by openssl."""
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    options = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    files = ["-keyout", str(made.key), "-out", str(made.file)]
    subprocess.run(["openssl", "req", "-x509", *options, *files], check=True, capture_output=True)
    return made


@contextmanager
def tls_front(port: int, given: Certificate, *, postgres: bool = False) -> Iterator[int]:
    """A port that takes TLS alone and passes what is said on to `port`. postgres: TLS begins when it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.file, given.key)
    front = _Front(port, context, postgres)
    thread = Thread(target=asyncio.run, args=(front.run(),))
    thread.start()
    front.ready.wait(GUARD_S)
    try:
        yield front.port
    finally:
        front.stop()
        thread.join()


class _Front:
    def __init__(self, target: int, context: ssl.SSLContext, postgres: bool) -> None:
        self._target = target
        self._context = context
        self._postgres = postgres
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.ready = Event()

    async def run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        tls = None if self._postgres else self._context
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self._stopping.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            if self._stopping.is_set():
                # asyncio would wait half a minute for the goodbye of a client that was killed.
                writer.transport.abort()
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._postgres:
            if await reader.readexactly(len(POSTGRES_ASKS)) != POSTGRES_ASKS:
                return
            writer.write(b"S")
            await writer.start_tls(self._context)
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            ways = [asyncio.create_task(_pass_on(reader, to_behind)), asyncio.create_task(_pass_on(behind, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await _close(to_behind)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
