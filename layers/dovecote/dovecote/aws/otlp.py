"""Spans sent away by OTLP over HTTP; loaded where the build put the exporter into the layer.

The exporter reads the environment itself: OTEL_EXPORTER_OTLP_ENDPOINT, which is set then.
"""

import logging
import threading
import time
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

FLUSH_SECONDS = 1.0
"""How long an invocation waits for its spans to be taken at most."""

REST_SECONDS = 30.0
"""How long nobody waits for a collector that did not take them."""


class _Heard(SpanExporter):
    """An exporter that remembers whether the last spans were taken."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self.taken = result is SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Export:
    """Sends spans away: a few hundred together, and what has ended at the end of an invocation."""

    def __init__(self) -> None:
        # It would say so on lines of its own, without a trace.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = _Heard(OTLPSpanExporter(timeout=FLUSH_SECONDS))
        self.processor = BatchSpanProcessor(self._exporter)
        self._rests_until = 0.0

    def flush(self, seconds: float) -> bool:
        """Send what has ended, and wait no longer than so many seconds; return whether it is gone.

        The SDK's own flush keeps to no time. After a failure the spans wait for a later one.
        """
        seconds = min(seconds, FLUSH_SECONDS)
        if seconds <= 0 or time.monotonic() < self._rests_until:
            return True
        flushing = threading.Thread(target=self.processor.force_flush, daemon=True)
        flushing.start()
        flushing.join(seconds)
        if flushing.is_alive() or not self._exporter.taken:
            self._rests_until = time.monotonic() + REST_SECONDS
            return False
        return True
