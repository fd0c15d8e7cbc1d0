"""A collector of traces that is none of ours: an HTTP server that reads OTLP's protobuf by its published definition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Proto
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class Received:
    """One span as it arrived; times in nanoseconds since 1970, ids in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    began_ns: int
    ended_ns: int
    failed: bool
    attributes: dict[str, Any]


@dataclass(slots=True)
class Collected:
    """All that arrived: paths, headers and bodies of requests, and the spans and resources in them."""

    paths: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Received] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def trace(self, token: str) -> dict[str, list[Received]]:
        """The spans of one turn by name."""
        found: dict[str, list[Received]] = {}
        for span in self.spans:
            if span.trace_id == token.replace("-", ""):
                found.setdefault(span.name, []).append(span)
        return found


@contextmanager
def collecting() -> Iterator[tuple[str, Collected]]:
    """A collector, and the endpoint to send to."""
    collected = Collected()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Collecting", (_Handler,), {"collected": collected}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", collected
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    collected: Collected

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        self.collected.paths.add(self.path)
        self.collected.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.collected.bodies.append(body)
        for of_process in request.resource_spans:
            self.collected.resources.append(_values(of_process.resource.attributes))
            for scope in of_process.scope_spans:
                self.collected.spans += [_received(span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keeps the test's output clean."""


def _received(span: Proto) -> Received:
    return Received(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=Proto.SpanKind.Name(span.kind),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
