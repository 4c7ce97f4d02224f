"""Fixtures of the integration tests."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def clients_loaded() -> None:
    """Load what the providers' clients need, which takes a busy machine two seconds.

    A channel may make its client at the first send, and submit gives up its first send after three.
    """
    import boto3

    for service in ("sesv2", "sns"):
        boto3.client(
            service, "us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
        ).close()
