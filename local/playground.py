"""What the demo and make run tell the stack: waits of seconds, and somebody to push to."""

from local.provider import Provider

# Backoffs that one can watch, and timeouts that let a lease be short.
SETTINGS = {
    "BACKOFF_BASE_SECONDS": "0.5",
    "BACKOFF_FACTOR": "2",
    "BACKOFF_MAX_SECONDS": "4",
    "EMAIL_FROM": "Dovecote <dovecote@example.com>",
    "LEASE_SECONDS": "10",
    "PAUSE_BASE_SECONDS": "0.5",
    "PAUSE_MAX_SECONDS": "4",
    "SEND_CONNECT_SECONDS": "1",
    "SEND_READ_SECONDS": "3",
}
TICK_SECONDS = 1.0


def push_targets(provider: Provider, name: str) -> dict[str, str]:
    """Set up at SNS what a user of push sets up: an application a platform, and a topic."""
    applications = [
        provider.registry.create_application(name, platform) for platform in ("APNS", "GCM")
    ]
    topic = provider.registry.create_topic(f"{name}.fifo", {"FifoTopic": "true"})
    return {"PUSH_APPLICATION_ARNS": ",".join(applications), "PUSH_TOPIC_ARN": topic.arn}
