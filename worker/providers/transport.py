"""One HTTP POST with a time limit for the whole answer and a limit to its size. requests and urllib3 end here."""

from __future__ import annotations

import http.client
import io
import socket
import time
from contextlib import closing
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import orjson
import requests
import urllib3
from msgspec import Struct
from requests.adapters import HTTPAdapter

from worker.errors import ProviderError, ProviderTimeout, ProviderUnavailable, UnreadableAnswer
from worker.providers.models import Provider
from worker.providers.wires.values import Call

_MAX_BYTES = 1024 * 1024  # a reply is a few kilobytes
#: Side by side in one process: more than AI_PARALLEL_CALLS allows. Each has a connection.
_MAX_THREADS = 256


class Answer(Struct, frozen=True):
    """What came back: HTTP status, the Retry-After header, and the body of at most 1 MiB."""

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _Template:
    """A request to one URL without its body. surroundings: what `Session.send` takes besides."""

    headers: dict[str, str] = field(repr=False)  # with the key in them
    request: requests.PreparedRequest
    surroundings: dict[str, Any]


class Transport:
    """A pool of connections to `hosts` hosts. Safe for threads, not across a fork."""

    def __init__(self, hosts: int) -> None:
        self._session = _session(hosts)
        self._templates: dict[str, _Template] = {}

    def post(self, provider: Provider, call: Call, left_s: float) -> Answer:
        """Sends the call and reads the whole answer, whatever its status, within `left_s` seconds (more than 0).

        Raises ProviderTimeout, ProviderUnavailable (not reached, cut) or UnreadableAnswer (too large, bad encoding).
        """
        try:
            return self._post(provider, call, left_s)
        except (OSError, urllib3.exceptions.HTTPError) as exc:  # all that requests raises on purpose is an OSError
            raise _translated(exc, provider, left_s) from exc

    def get(self, provider: Provider, url: str, headers: dict[str, str], left_s: float) -> Answer:
        """The same for a GET, of which there are few: over a connection of its own, since the others send a body."""
        limits = (provider.connect_timeout_s, left_s)
        try:
            with (
                closing(_guarded(requests.Session())) as session,
                session.get(url, headers=headers, timeout=limits, stream=True) as response,
            ):
                return _taken(provider, response)
        except (OSError, urllib3.exceptions.HTTPError) as exc:
            raise _translated(exc, provider, left_s) from exc

    def _post(self, provider: Provider, call: Call, left_s: float) -> Answer:
        prepared, surroundings = self._prepared(call)
        limits: Any = urllib3.Timeout(left_s, provider.connect_timeout_s, provider.timeout_s)  # requests hands it on
        with self._session.send(prepared, timeout=limits, **surroundings) as response:
            return _taken(provider, response)

    def _prepared(self, call: Call) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        """The request, and what the environment says about its way: proxies and CA bundle, which do not change while a
        process lives. To prepare it anew and to look through the environment would be a sixth of what a call costs.
        """
        url, headers, body = call
        known = self._templates.get(url)
        if known is None or known.headers != headers:
            known = self._templates[url] = self._template(url, headers)
        prepared = known.request.copy()
        prepared.body = orjson.dumps(body)
        prepared.headers["Content-Length"] = str(len(prepared.body))
        return prepared, known.surroundings

    def _template(self, url: str, headers: dict[str, str]) -> _Template:
        request = requests.Request("POST", url, {"Content-Type": "application/json", **headers})
        return _Template(headers, self._session.prepare_request(request), self._surroundings(url))

    def _surroundings(self, url: str) -> dict[str, Any]:
        return dict(self._session.merge_environment_settings(url, {}, stream=True, verify=None, cert=None))

    def close(self) -> None:
        """Closes the idle connections."""
        self._session.close()


def _taken(provider: Provider, response: requests.Response) -> Answer:
    content = response.raw.read(_MAX_BYTES + 1, decode_content=True)
    if len(content) > _MAX_BYTES:
        raise UnreadableAnswer(provider.name, f"HTTP {response.status_code}, larger than 1 MiB")
    return Answer(response.status_code, response.headers.get("Retry-After"), content)


def _translated(exc: Exception, provider: Provider, left_s: float) -> ProviderError:
    """A connection that could not be made in its own time is the provider's state, not the end of ours."""
    what = type(exc).__name__
    if isinstance(exc, requests.ConnectTimeout) and provider.connect_timeout_s < left_s:
        return ProviderUnavailable(provider.name, what)
    if isinstance(exc, requests.Timeout | urllib3.exceptions.TimeoutError):
        return ProviderTimeout(provider.name, what, sent=not isinstance(exc, requests.ConnectTimeout))
    if isinstance(exc, urllib3.exceptions.DecodeError):
        return UnreadableAnswer(provider.name, what)
    return ProviderUnavailable(provider.name, what, sent=_was_connected(exc))


def _was_connected(exc: BaseException) -> bool:
    """Whether the connection had been made before it failed. requests wraps the reason, sometimes twice."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, urllib3.exceptions.NewConnectionError | requests.exceptions.SSLError | socket.gaierror):
            return False
        if isinstance(seen, requests.exceptions.ProxyError | ConnectionRefusedError):
            return False
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None
        seen = getattr(inner, "reason", None) or inner or seen.__cause__
    return True


class _Session(requests.Session):
    """Never follows a redirect: even with allow_redirects=False requests reads its body, whatever its size."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests gives the signature
        return None


def _guarded(session: requests.Session) -> requests.Session:
    """The environment's proxy and CA bundle stay in force (trust_env): some shops reach the internet no other way.

    A netrc entry does not, because requests would put it in the place of our key: an `auth` of our own prevents that.
    Cookies would be state shared by threads, and providers need none.
    """
    session.auth = lambda prepared: prepared
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _session(hosts: int) -> requests.Session:
    session = _guarded(_Session())
    adapter = _Adapter(pool_connections=hosts, pool_maxsize=_MAX_THREADS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _TimedReader(io.RawIOBase):
    """Reads a socket until its time limit has passed since the first moment; by itself a socket's limit starts anew
    with every packet, so that an answer which drips has no end."""

    def __init__(self, sock: socket.socket, reader: io.RawIOBase) -> None:
        self._sock = sock
        self._reader: Any = reader  # io.RawIOBase does not promise the readinto that socket.SocketIO has
        self._ends = time.monotonic() + (sock.gettimeout() or 0.0)

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


class _TimedResponse(http.client.HTTPResponse):
    """Status line, headers and body, chunked or not, within the read timeout its connection was given."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach()))


class _AtOnce(urllib3.connection.HTTPConnection):
    """Sends the head of a request with the first part of its body, which every request of ours has: one packet, and
    the other side is woken once.
    """

    response_class = _TimedResponse
    _head: bytes | None = None

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        self._head = b""
        super().endheaders(*args, **kwargs)

    def send(self, data: Any) -> None:
        if self._head is None:
            super().send(data)
        elif not self._head:
            self._head = data
        else:
            head, self._head = self._head, None
            super().send(head + data)


class _HttpConnection(_AtOnce):
    pass


class _HttpsConnection(_AtOnce, urllib3.connection.HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    """Makes connections that keep one time limit for a whole answer, straight or through an HTTP proxy."""

    def __init__(self, **given: Any) -> None:
        self._pool_keys: dict[tuple[Any, ...], Any] = {}
        super().__init__(**given)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        # requests would parse the URL and look for the CA bundle on the disk for each call.
        asked = (request.url, verify, cert)
        if asked not in self._pool_keys:
            self._pool_keys[asked] = super().build_connection_pool_key_attributes(request, verify, cert)
        return self._pool_keys[asked]

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # its connections are of a class of their own
            manager.pool_classes_by_scheme = _POOLS
        return manager
