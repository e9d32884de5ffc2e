"""Spans for a collector, by OpenTelemetry's SDK and OTLP over HTTP; all of it set by the OTEL_* variables.

The SDK's own queue is bounded (`OTEL_BSP_MAX_QUEUE_SIZE`) and drops what does not fit; a thread sends in batches.
A collector that is down costs spans and nothing else: what it missed is counted and said once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from haetae.core.spans import Attribute


class _Counted(SpanExporter):
    """Counts the spans that the collector took."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.delivered = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(spans)
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._inner.shutdown()


class _Told:
    """One span."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def tell(self, attributes: Mapping[str, Attribute]) -> None:
        """See `Span.tell`."""
        self._span.set_attributes(attributes)

    def failed(self, reason: str) -> None:
        """See `Span.failed`."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))


class OtelSpans:
    """The spans of one run. Its tracer is its own: whatever the program around it traces stays as it is."""

    def __init__(self, env: Mapping[str, str], version: str) -> None:
        named = "OTEL_SERVICE_NAME" in env or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {SERVICE_NAME: "haetae", "service.version": version})
        self._exporter = _Counted(OTLPSpanExporter())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("haetae", version)
        self._ended = 0

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Attribute], *, calls: bool = False) -> Iterator[_Told]:
        """See `Spans.span`. Of an error its kind is told: its text may repeat what was asked."""
        kind = SpanKind.CLIENT if calls else SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            self._ended += span.is_recording()
            told = _Told(span)
            try:
                yield told
            except BaseException as exc:
                told.failed(type(exc).__name__)
                raise

    def close(self, deadline_s: float) -> str | None:
        """See `Spans.close`."""
        closing = Thread(target=self._provider.shutdown, name="haetae-spans", daemon=True)
        closing.start()
        closing.join(deadline_s)
        missed = self._ended - self._exporter.delivered
        return f"{missed:,} of {self._ended:,} spans were not taken by the collector" if missed else None
