"""HTTP with one deadline for a whole answer and a limit to its size. urllib3 ends here."""

import http.client
import io
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
import urllib3
from msgspec import Struct
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import ConnectTimeoutError, DecodeError, HTTPError, NewConnectionError, ProxyError, SSLError

from worker.errors import ProviderError, ProviderTimeout, ProviderUnavailable, UnreadableAnswer
from worker.providers.models import Provider

_MAX_BYTES = 1024 * 1024  # a reply is a few kilobytes
#: Kept connections of a provider: more than AI_PARALLEL_CALLS allows side by side.
_MAX_CONNECTIONS = 256
#: Failures before the request could go out: it is certainly not billed.
_NOT_SENT = (ConnectTimeoutError, NewConnectionError, ProxyError, SSLError)


class HttpAnswer(Struct, frozen=True):
    """HTTP status, the Retry-After header, and the body of at most 1 MiB."""

    status: int
    retry_after: str | None
    body: bytes


class Transport:
    """Pools of kept connections, one for each base URL. Safe for threads, not across a fork."""

    def __init__(self) -> None:
        self._pools: dict[str, urllib3.PoolManager] = {}

    def send(
        self, provider: Provider, url: str, headers: dict[str, str], body: bytes | None, left_s: float
    ) -> HttpAnswer:
        """Sends one request and reads the whole answer, whatever its status; a redirect is an answer like others.

        Args:
            body: of a POST; None for a GET.
            left_s: seconds until the deadline, more than 0.

        Raises:
            ProviderTimeout: the deadline, or the provider's own limit, came first.
            ProviderUnavailable: not reached, or cut.
            UnreadableAnswer: larger than 1 MiB, or not encoded as it says.
        """
        try:
            pool = self._pools.get(provider.base_url) or self._pools.setdefault(provider.base_url, _pool(url))
            response = pool.urlopen(
                "GET" if body is None else "POST",
                url,
                body=body,
                headers={"Accept-Encoding": "gzip, deflate", "User-Agent": "chasqui", **headers},
                timeout=urllib3.Timeout(left_s, provider.connect_timeout_s, provider.timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (OSError, HTTPError) as exc:
            raise _translated(exc, provider, left_s, sent=not isinstance(exc, _NOT_SENT)) from exc
        try:
            with closing(response):
                content = response.read(_MAX_BYTES + 1)
        except (OSError, HTTPError) as exc:
            raise _translated(exc, provider, left_s, sent=True) from exc
        if len(content) > _MAX_BYTES:
            raise UnreadableAnswer(provider.name, f"HTTP {response.status}, larger than 1 MiB")
        return HttpAnswer(response.status, response.headers.get("Retry-After"), content)

    def close(self) -> None:
        """Closes the idle connections."""
        for pool in self._pools.values():
            pool.clear()


def _pool(url: str) -> urllib3.PoolManager:
    """A pool behind the proxy and with the CA bundle of the environment: some shops reach the internet no other way."""
    environment: Any = requests.Session().merge_environment_settings(url, {}, None, None, None)
    bundle = DEFAULT_CA_BUNDLE_PATH if environment["verify"] is True else environment["verify"]
    trust: dict[str, Any] = {"ca_cert_dir" if Path(bundle).is_dir() else "ca_certs": bundle}
    proxy = select_proxy(url, environment["proxies"])
    pool: urllib3.PoolManager
    if proxy is None:
        pool = urllib3.PoolManager(maxsize=_MAX_CONNECTIONS, **trust)
    else:
        adapter = HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS)
        pool = adapter.proxy_manager_for(prepend_scheme_if_needed(proxy, "http"), **trust)  # type: ignore[no-untyped-call]  # requests'
    if not str(proxy).lower().startswith("socks"):  # its connections are of a class of their own
        pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return pool


def _translated(exc: Exception, provider: Provider, left_s: float, *, sent: bool) -> ProviderError:
    """A connection that could not be made in its own time is the provider's state, not the end of ours."""
    what = type(exc).__name__
    if isinstance(exc, ConnectTimeoutError) and provider.connect_timeout_s < left_s:
        return ProviderUnavailable(provider.name, what)
    if isinstance(exc, urllib3.exceptions.TimeoutError):
        return ProviderTimeout(provider.name, what, sent=sent)
    if isinstance(exc, DecodeError):
        return UnreadableAnswer(provider.name, what)
    return ProviderUnavailable(provider.name, what, sent=sent)


class _DeadlineReader(io.RawIOBase):
    """Reader of a socket whose timeout holds for the whole answer; by itself it starts anew with every packet, so that
    an answer which drips has no end. Stands in for the socket when an answer is read.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader: Any = sock.makefile("rb", buffering=0)
        self._ends = time.monotonic() + (sock.gettimeout() or 0.0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time for the whole answer is over")
        self._sock.settimeout(left_s)
        read: int | None = self._reader.readinto(buffer)
        return read

    def close(self) -> None:
        self._reader.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_DeadlineReader(sock), *args, **kwargs)  # type: ignore[arg-type]  # it asks for a file alone


class _HttpConnection(urllib3.connection.HTTPConnection):
    """Connection that sends a request's head and body in one packet, and reads its answer within one deadline."""

    response_class = _DeadlineResponse
    _packet: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._packet = []
        super().request(*args, **kwargs)
        packet, self._packet = self._packet, None
        self.send(b"".join(packet))

    def send(self, data: Any) -> None:
        if self._packet is None:
            super().send(data)
        else:
            self._packet.append(data)


class _HttpsConnection(_HttpConnection, urllib3.connection.HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
