"""TCP proxies between the processes of a town and their servers, which can refuse, reset, swallow or delay."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Final, Literal

from worker.runtime.embedded.server import HOST

Mode = Literal["pass", "swallow", "swallow_answers", "delay"]
CHUNK: Final = 65_536
CALL_TIMEOUT_S: Final = 10.0
#: SO_LINGER with a time of zero: the connection ends by a reset instead of a farewell.
RESET: Final = struct.pack("ii", 1, 0)


@dataclass(eq=False, slots=True)
class Link:
    """One connection through a proxy: both of its sockets, and whether bytes of it are missing."""

    transports: list[asyncio.Transport] = field(default_factory=list)
    swallowed: bool = False

    def cut(self) -> None:
        """Ends both sides by a reset."""
        for transport in self.transports:
            sock: Any = transport.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            transport.abort()


class Proxy:
    """Passes everything on from `port` to `target` until it is told otherwise. Made by `Exchange.proxy`."""

    def __init__(self, exchange: Exchange, port: int, target: int) -> None:
        self.port = port
        self.swallowed_bytes = 0
        self._exchange = exchange
        self._target = target
        self._mode: Mode = "pass"
        self._delay_s = 0.0
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None

    def refuse(self) -> None:
        """Cuts every connection and takes no new one."""
        self._exchange.call(self._close())

    def reset(self) -> None:
        """Cuts every connection; new ones are welcome."""
        self._exchange.call(self._cut())

    def swallow(self, *, answers_only: bool = False) -> None:
        """Loses what passes: everything, or only what the server says."""
        self.swallowed_bytes = 0
        self._mode = "swallow_answers" if answers_only else "swallow"

    def delay(self, seconds: float) -> None:
        """Holds every piece of data for this long, both ways."""
        self._mode, self._delay_s = "delay", seconds

    def heal(self) -> None:
        """Passes everything again. Connections of which bytes are missing end, as they would in any network."""
        self._mode = "pass"
        self._exchange.call(self._reopen())

    async def listen(self) -> None:
        """Opens the port."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _reopen(self) -> None:
        for link in [link for link in self._links if link.swallowed]:
            link.cut()
        if self._server is None:
            await self.listen()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link([writer.transport])  # type: ignore[list-item]  # a stream's transport can be written to
        self._links.add(link)
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            link.transports.append(far_writer.transport)  # type: ignore[arg-type]  # as above
            pumps = (self._pump(link, reader, far_writer, "ask"), self._pump(link, far_reader, writer, "answer"))
            await asyncio.gather(*pumps)
        self._links.discard(link)
        link.cut()

    async def _pump(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if self._mode == "delay":
                    await asyncio.sleep(self._delay_s)
                if self._mode == "swallow" or (self._mode == "swallow_answers" and way == "answer"):
                    link.swallowed = True
                    self.swallowed_bytes += len(data)
                elif not link.swallowed:
                    sink.write(data)
                    await sink.drain()
        # One side is gone: the other hears of it as it would without a proxy.
        sink.close()


class Exchange:
    """All proxies of a town, in one thread. A context manager: afterwards no thread and no socket is left."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Exchange:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for proxy in self._proxies:
            proxy.refuse()
        self.call(self._wait_for_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def proxy(self, port: int, target: int) -> Proxy:
        """A proxy that listens on `port` and passes on to `target`, both on this machine."""
        proxy = Proxy(self, port, target)
        self.call(proxy.listen())
        self._proxies.append(proxy)
        return proxy

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs the coroutine in the proxies' thread and waits for its end."""
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(CALL_TIMEOUT_S)

    async def _wait_for_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
