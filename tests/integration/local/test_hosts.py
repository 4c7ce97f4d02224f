"""No port of the local stack answers a name that a stranger points at this machine."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import psutil
import pytest

from local.provider import Running
from tests.sending import channel_body
from tests.stacks import a_stack

FOREIGN = (
    "rebound.example", "rebound.example:80", "127.0.0.1.rebound.example", "localhost.example",
    "127.0.0.1@rebound.example", "rebound.example@127.0.0.1", "127.0.0.2", "127.0.0.1:80:80", "",
)  # fmt: skip
OWN = ("127.0.0.1", "127.0.0.1:1", "localhost:9000", "LocalHost", "[::1]", "[::1]:80")
CONTAINERS = ("host.docker.internal", "host.docker.internal:4566")


def listening() -> set[int]:
    """Return the TCP ports that this process listens on."""
    connections = psutil.Process().net_connections("tcp")
    return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("page", [False, True], ids=["without a page", "with a page"])
def test_every_port_of_the_stack_refuses_a_foreign_host(tmp_path: Path, page: bool) -> None:
    before = listening()

    async def scenario() -> None:
        here = a_stack(tmp_path, tick_seconds=60, page=page)
        async with here as stack, aiohttp.ClientSession() as session:
            url = f"{stack.api_url}/notifications"
            async with session.post(url, json=channel_body()) as stored:
                assert stored.status == 202
            ports = listening() - before
            # The HTTP API, the AWS endpoint, and the runtime API of submit's process at least.
            assert len(ports) >= 3
            for port in ports:
                for host in FOREIGN:
                    asked = session.get(f"http://127.0.0.1:{port}/", headers={"Host": host})
                    async with asked as answer:
                        assert answer.status == 403, (port, host)

    asyncio.run(scenario())


def test_the_aws_port_answers_this_machine_and_its_containers(provider: Running) -> None:
    async def scenario() -> None:
        async with aiohttp.ClientSession(provider.url) as session:
            for host in (*OWN, *CONTAINERS):
                async with session.get("/_provider/ledger", headers={"Host": host}) as answer:
                    assert answer.status == 200, host
            for host in FOREIGN:
                async with session.get("/_provider/ledger", headers={"Host": host}) as answer:
                    assert answer.status == 403, host
                    assert "accepted" not in await answer.text()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_nothing_is_sent_or_broken_for_a_foreign_page(
    provider: Running, headers: dict[str, str]
) -> None:
    body: dict[str, Any] = {
        "do": "error",
        "service": "ses",
        "status": 400,
        "code": "MessageRejected",
    }
    email = {
        "FromEmailAddress": "a@example.com",
        "Destination": {"ToAddresses": ["b@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
    }

    async def scenario() -> None:
        async with aiohttp.ClientSession(provider.url, headers=headers) as session:
            for method, path, sent in (
                ("POST", "/_provider/orders", body),
                ("POST", "/v2/email/outbound-emails", email),
                ("POST", "/", {"Action": "CreatePlatformApplication"}),
                ("DELETE", "/_provider/ledger", None),
            ):
                async with session.request(method, path, json=sent) as answer:
                    assert answer.status == 403, path

    asyncio.run(scenario())
    assert provider.provider.orders == []
    assert provider.provider.ledger.attempts == []


def test_boto3_reaches_the_aws_port_by_each_of_its_names(provider: Running) -> None:
    for name in ("127.0.0.1", "localhost"):
        client: Any = boto3.client(  # type: ignore[call-overload]
            "sesv2",
            endpoint_url=provider.url.replace("127.0.0.1", name),
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        assert client.get_account()["SendQuota"]
