"""Spans on their way to an OTLP/HTTP collector. Imports OpenTelemetry; is itself imported only where tracing is on."""

import os
import socket
from collections.abc import Iterable
from hashlib import blake2b
from threading import local
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
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
        self._ids = GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # what is taken is decided here, by the token, which every process knows
            id_generator=self._ids,
            resource=Resource.create(
                {
                    "service.name": "chasqui",
                    "service.version": __version__,
                    "host.name": socket.gethostname(),
                    "process.pid": os.getpid(),
                }
            ),
        )
        sender = OTLPSpanExporter(
            endpoint=f"{str(configured.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces",
            headers=parse_env_headers(headers.get_secret_value(), liberal=True) if headers else None,
        )
        self._provider.add_span_processor(BatchSpanProcessor(sender))
        self._tracer = self._provider.get_tracer("chasqui", __version__)

    def add(self, spans: Iterable[Span]) -> None:
        """Takes the spans of those turns whose traces are wanted."""
        for span in spans:
            if is_wanted(span.token, self._ratio):
                self._add(span)

    def flush(self) -> None:
        """Sends all that waits; returns when it is out or given up."""
        self._provider.force_flush()

    def _add(self, span: Span) -> None:
        trace_id = UUID(span.token).int
        # A turn may call several times, and the same model twice.
        repeated = span.parent == CALL_PROVIDER
        own_id = int.from_bytes(os.urandom(8)) if repeated else span_id(span.token, span.name)
        self._ids.give(trace_id, own_id)
        made = self._tracer.start_span(
            span.name,
            Context() if span.parent is None else _within(trace_id, span_id(span.token, span.parent)),
            KINDS.get(span.parent, SpanKind.INTERNAL),
            dict(span.attributes),
            start_time=int(span.began_at_s * NANO),
        )
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR))
        made.end(int(span.ended_at_s * NANO))


class GivenIds(IdGenerator):
    """The ids that were decided beforehand, for the next span that this thread makes."""

    def __init__(self) -> None:
        self._of_thread = local()

    def give(self, trace_id: int, own_id: int) -> None:
        """Decides them."""
        self._of_thread.ids = trace_id, own_id

    def generate_trace_id(self) -> int:
        """See IdGenerator."""
        return int(self._of_thread.ids[0])

    def generate_span_id(self) -> int:
        """See IdGenerator."""
        return int(self._of_thread.ids[1])


def span_id(token: str, name: str) -> int:
    """The id of the span of this name in the trace of this turn."""
    return int.from_bytes(blake2b(f"{token} {name}".encode(), digest_size=8).digest())


def is_wanted(token: str, ratio: float) -> bool:
    """Returns whether a turn is among the share of turns whose traces are wanted; the same in every process."""
    return int(token[:8], 16) < ratio * 2**32


def _within(trace_id: int, parent_id: int) -> Context:
    parent = SpanContext(trace_id, parent_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
