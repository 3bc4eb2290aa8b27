"""Traces across gRPC and Kafka.

Every call and every event has a trace id, always: it is in the logs and in `traceparent`. Spans are recorded and sent
only when a collector is configured; without one a span is two random numbers and costs microseconds.
"""

from __future__ import annotations

import random
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_REMEMBERED = 4096
_MOST_LINKS = 64

_ids = random.Random()  # noqa: S311 - trace ids are no secrets
_contexts: OrderedDict[str, SpanContext] = OrderedDict()
_provider: TracerProvider | None = None
_tracer: trace.Tracer | None = None


def configure(service: str, endpoint: str | None) -> None:
    """Sends spans to a collector from now on; does nothing without an endpoint."""
    global _provider, _tracer
    if not endpoint or _provider is not None:
        return
    # imported late: most processes of a small installation have no collector, and these cost 0.1 s at start
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider(resource=Resource.create({"service.name": f"relearn-{service}"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("relearn_runtime")


def record_with(provider: TracerProvider) -> None:
    """Records spans with a provider that the caller made; for tests and programs with tracing of their own."""
    global _provider, _tracer
    _provider, _tracer = provider, provider.get_tracer("relearn_runtime")


def shutdown() -> None:
    """Sends what is left; tracing is off afterwards."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind,
    parent: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    links: Sequence[str] = (),
    record_errors: bool = True,
) -> Iterator[Span]:
    """The current span while the block runs: child of `parent` (a traceparent), else of the one around it, else a root.

    Args:
        links: traceparents of what this joins.
        record_errors: an exception that leaves the block marks the span as failed.
    """
    around = _context_of(parent) or trace.get_current_span().get_span_context()
    if _tracer is None:
        with _current(_unrecorded(around)) as made:
            yield made
        return
    inside = trace.set_span_in_context(NonRecordingSpan(around)) if around.is_valid else otel_context.Context()
    joined = [Link(found) for text in links[:_MOST_LINKS] if (found := _context_of(text))]
    errors = {"record_exception": record_errors, "set_status_on_exception": record_errors}
    with _tracer.start_as_current_span(
        name, context=inside, kind=kind, attributes=attributes, links=joined, **errors
    ) as made:
        yield made


def rpc_attributes(method: str) -> dict[str, str]:
    """OpenTelemetry's attributes of a call to `package.Service/Method`."""
    service, _, name = method.rpartition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


@contextmanager
def unrecorded_span() -> Iterator[Span]:
    """A trace id for logs and no more: a loop that mostly finds nothing to do would flood a collector."""
    with _current(_unrecorded(trace.get_current_span().get_span_context())) as made:
        yield made


@contextmanager
def writing_span() -> Iterator[Span]:
    """The current span if it is recorded, else a new root: what a job decides must not lose its trace."""
    current = trace.get_current_span()
    if _tracer is None or current.is_recording():
        yield current
        return
    root = otel_context.Context()
    with _tracer.start_as_current_span("outbox add", context=root, kind=SpanKind.PRODUCER) as made:
        yield made


def current_traceparent() -> str | None:
    """W3C traceparent of the current span."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"


def current_trace_id() -> str | None:
    """Trace id of the current span, 32 hexadecimal digits."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


def remember(event_id: str, traceparent: str | None) -> None:
    """Notes the span that wrote an event, so that an effect with many causes can link to them."""
    if _tracer is None or (found := _context_of(traceparent)) is None:
        return
    _contexts[event_id] = found
    if len(_contexts) > _REMEMBERED:
        _contexts.popitem(last=False)


def link_causes(event_ids: Sequence[str]) -> None:
    """Links the current span to the spans of these events, as far as this process has met them; ids are the truth."""
    if _tracer is None:
        return
    current = trace.get_current_span()
    for event_id in event_ids[:_MOST_LINKS]:
        if (found := _contexts.get(event_id)) and found.trace_id != current.get_span_context().trace_id:
            current.add_link(found, {"relearn.event_id": event_id})


def _context_of(traceparent: str | None) -> SpanContext | None:
    if not traceparent or (match := _TRACEPARENT.match(traceparent)) is None:
        return None
    flags = TraceFlags(int(match[3], 16))
    found = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=flags)
    return found if found.is_valid else None


def _unrecorded(around: SpanContext) -> NonRecordingSpan:
    trace_id = around.trace_id if around.is_valid else _ids.getrandbits(128) or 1
    return NonRecordingSpan(
        SpanContext(trace_id, _ids.getrandbits(64) or 1, is_remote=False, trace_flags=TraceFlags(0))
    )


@contextmanager
def _current(made: Span) -> Iterator[Span]:
    token = otel_context.attach(trace.set_span_in_context(made))
    try:
        yield made
    finally:
        otel_context.detach(token)
