"""The provider and moto, for one suite for both: what boto3 sees must be the same.

Moto is the judge of whatever it implements. What it lacks, or does otherwise than AWS, is tested
on the provider alone, in tests/integration/local/test_provider.py; SendBulkEmail, which moto does
not have at all, in test_provider_bulk.py.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from local.provider import Provider, running


@contextmanager
def the_provider() -> Iterator[str]:
    with running(Provider(strict=True)) as server:
        yield server.url


@contextmanager
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture(scope="module", params=[the_provider, moto])
def aws(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    start: Callable[[], AbstractContextManager[str]] = request.param
    with start() as url:
        yield lambda service: boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, int]:
    """Return the code and the HTTP status of the error that a call must end in."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
