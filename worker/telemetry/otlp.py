"""Spans on their way to an OTLP/HTTP collector. Imports OpenTelemetry; is itself imported only where tracing is on."""

import atexit
import os
import socket
from collections.abc import Iterable
from hashlib import blake2b
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from worker import __version__
from worker.settings import Settings
from worker.telemetry.tracing import CALL_PROVIDER, Span

KINDS = {None: SpanKind.CONSUMER, CALL_PROVIDER: SpanKind.CLIENT}
NANO = 1_000_000_000


class Exporter:
    """Takes spans and sends them in the background, in batches; what a collector does not take is dropped and logged.
    One per process, made after any fork.
    """

    def __init__(self, configured: Settings) -> None:
        headers = configured.otel_exporter_otlp_headers
        self._ratio = configured.otel_traces_sampler_arg
        service = {"service.name": "chasqui", "service.version": __version__}
        self._resource = Resource.create(service | {"host.name": socket.gethostname(), "process.pid": os.getpid()})
        sender = OTLPSpanExporter(
            endpoint=f"{str(configured.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces",
            headers=parse_env_headers(headers.get_secret_value(), liberal=True) if headers else None,
        )
        self._processor = BatchSpanProcessor(sender)
        atexit.register(self._processor.shutdown)

    def add(self, spans: Iterable[Span]) -> None:
        """Takes the spans of those turns whose traces are wanted."""
        for span in spans:
            if is_wanted(span.token, self._ratio):
                self._processor.on_end(self._ended(span))

    def flush(self) -> None:
        """Sends all that waits; returns when it is out or given up."""
        self._processor.force_flush()

    def _ended(self, span: Span) -> ReadableSpan:
        # A turn may call several times, and the same model twice.
        repeated = span.parent == CALL_PROVIDER
        own_id = int.from_bytes(os.urandom(8)) if repeated else span_id(span.token, span.name)
        parent_id = None if span.parent is None else span_id(span.token, span.parent)
        return ReadableSpan(
            span.name,
            _context(span.token, own_id, is_remote=False),
            None if parent_id is None else _context(span.token, parent_id, is_remote=True),
            self._resource,
            {**span.attributes, **({"error.type": span.error} if span.error is not None else {})},
            kind=KINDS.get(span.parent, SpanKind.INTERNAL),
            status=Status(StatusCode.UNSET if span.error is None else StatusCode.ERROR),
            start_time=int(span.began_at_s * NANO),
            end_time=int(span.ended_at_s * NANO),
            instrumentation_scope=InstrumentationScope("chasqui", __version__),
        )


def span_id(token: str, name: str) -> int:
    """The id of the span of this name in the trace of this turn."""
    return int.from_bytes(blake2b(f"{token} {name}".encode(), digest_size=8).digest())


def is_wanted(token: str, ratio: float) -> bool:
    """Returns whether a turn is among the share of turns whose traces are wanted; the same in every process."""
    return int(token[:8], 16) < ratio * 2**32


def _context(token: str, own_id: int, *, is_remote: bool) -> SpanContext:
    return SpanContext(UUID(token).int, own_id, is_remote, TraceFlags(TraceFlags.SAMPLED))
