"""The export of spans by OTLP over HTTP; needs a layer that was built with the exporter.

The exporter itself reads OTEL_EXPORTER_OTLP_ENDPOINT from the environment.
"""

import logging
import threading
import time
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

FLUSH_SECONDS = 1.0
"""How long an invocation waits for the export of its spans at most."""

RETRY_SECONDS = 30.0
"""How long invocations skip the export after a failed one."""


class _ObservedExporter(SpanExporter):
    """An exporter that remembers whether its last export succeeded."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.succeeded = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self.succeeded = result is SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Export:
    """Exports spans in batches of a few hundred, and the rest at the end of an invocation."""

    def __init__(self) -> None:
        # OpenTelemetry would log failures in lines without a trace id.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = _ObservedExporter(OTLPSpanExporter(timeout=FLUSH_SECONDS))
        self.processor = BatchSpanProcessor(self._exporter)
        self._retry_at = 0.0

    def flush(self, seconds: float) -> bool:
        """Export the ended spans within so many seconds; return False if that failed.

        The SDK's own flush ignores its timeout. After a failure the spans wait for a later flush.
        """
        seconds = min(seconds, FLUSH_SECONDS)
        if seconds <= 0 or time.monotonic() < self._retry_at:
            return True
        flushing = threading.Thread(target=self.processor.force_flush, daemon=True)
        flushing.start()
        flushing.join(seconds)
        if flushing.is_alive() or not self._exporter.succeeded:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return False
        return True
