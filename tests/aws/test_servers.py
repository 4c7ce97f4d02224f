"""Submit, dispatch and read through `sam local start-api` and `start-lambda`, containers warm."""

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from local.sam import docker, provider
from local.sam.command import Servers
from local.sam.house import House

pytestmark = [pytest.mark.timeout(300), pytest.mark.channels("email", "push")]

# Kept apart from the notifications of other tests by its addresses.
ADDRESSES = [f"success+warm-{number}@simulator.amazonses.com" for number in range(10)]
NOTIFICATION = {
    "kind": "order.shipped",
    # In the body: sam writes Idempotency-Key where API Gateway writes idempotency-key.
    "idempotency_key": "warm-1",
    "payload": {"order_id": "1234", "carrier": "DHL"},
    "recipients": [{"email": address, "data": {"first_name": "Ann"}} for address in ADDRESSES],
}
LOOK = """
import hashlib, json, pathlib, platform, sys
sys.path.insert(0, "/opt/python")
import boto3, dovecote, psycopg
package = pathlib.Path(dovecote.__file__).parent
files = sorted(package.rglob("*.py")) + sorted(package.rglob("*.sql"))
print(json.dumps({
    "python": platform.python_version(),
    "implementation": psycopg.pq.__impl__,
    "homes": [module.__file__ for module in (boto3, dovecote, psycopg)],
    "digests": {str(file.relative_to(package)): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in files},
}))
"""


def call(servers: Servers, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request to the HTTP API."""
    request = urllib.request.Request(  # noqa: S310 - it is ours
        f"{servers.api_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return answer.status, json.load(answer)


def dispatch(servers: Servers) -> dict[str, int]:
    """Invoke dispatch by Lambda's Invoke."""
    patient = Config(signature_version=UNSIGNED, read_timeout=120, retries={"max_attempts": 0})
    client = boto3.client(
        "lambda", region_name="us-east-1", endpoint_url=servers.lambda_url, config=patient
    )
    answer = client.invoke(FunctionName="DispatchFunction", Payload=b'{"source": "schedule"}')
    client.close()
    tally: dict[str, int] = json.load(answer["Payload"])
    return tally


def test_a_notification_goes_from_submit_by_dispatch_to_published(
    servers: Servers, opened: House
) -> None:
    status, posted = call(servers, "POST", "/notifications", NOTIFICATION)
    assert status == 202
    stored = [route["status"] for route in posted["routes"] if route["channel"] == "email"]
    # Submit's own attempt is made, and bounded.
    assert sorted(stored) == ["pending"] * (len(ADDRESSES) - 2) + ["published"] * 2

    assert dispatch(servers)["published"] >= stored.count("pending")

    status, read = call(servers, "GET", f"/notifications/{posted['notification_id']}")
    assert status == 200
    emails = [route for route in read["routes"] if route["channel"] == "email"]
    assert {route["status"] for route in emails} == {"published"}
    told = {route["address"]: route["provider_message_id"] for route in emails}
    rows = [row for row in provider.attempts(opened.provider_url) if row["target"] in ADDRESSES]
    assert len(rows) == len(ADDRESSES)  # each once
    assert {row["target"]: row["message_id"] for row in rows} == told


def test_a_warm_container_answers_without_a_start(servers: Servers) -> None:
    dispatch(servers)
    containers = docker.containers(servers.logs[1])
    dispatch(servers)
    assert docker.containers(servers.logs[1]) == containers


def test_the_container_runs_python_3_13_and_the_layer_of_these_sources(
    servers: Servers, built: Mapping[str, str]
) -> None:
    dispatch(servers)
    container = docker.containers(servers.logs[1])[-1]
    looked = subprocess.run(
        ["docker", "exec", container, "python3", "-c", LOOK],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    seen = json.loads(looked.stdout)
    assert seen["python"].startswith("3.13.")
    assert seen["implementation"] == "binary"
    assert all(home.startswith("/opt/python/") for home in seen["homes"])
    assert seen["digests"] == built
