"""Lambda's edges: events, answers, telemetry."""
