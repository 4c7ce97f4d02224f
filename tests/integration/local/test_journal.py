"""What the provider knew is known again after it was killed."""

from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from local import LocalError
from local.provider import Journal, Provider, running


def sns(url: str) -> object:
    return boto3.client(
        "sns",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_acceptances_attempts_devices_and_topics_are_known_again(tmp_path: Path) -> None:
    path = tmp_path / "provider.jsonl"
    before, after = Provider(), Provider()
    application = before.registry.create_application("app", "GCM")
    with Journal(path, before), running(before) as aws:
        client = sns(aws.url)
        topic = client.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        device, gone = (
            client.create_platform_endpoint(PlatformApplicationArn=application, Token=token)
            for token in ("token-1", "token-2")
        )
        client.set_endpoint_attributes(
            EndpointArn=device["EndpointArn"], Attributes={"Enabled": "false"}
        )
        client.delete_endpoint(EndpointArn=gone["EndpointArn"])
        message = {"TopicArn": topic, "Message": '{"event_id": "r-1"}'}
        ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
        sent = client.publish(**message, **ids)["MessageId"]

        # The file as a SIGKILL in the middle of the next line leaves it.
        path.write_text(path.read_text() + '{"accepted": {"sequ')
        with Journal(path, after), running(after) as again:
            client = sns(again.url)
            assert client.publish(**message, **ids)["MessageId"] == sent

    assert after.ledger.accepted == before.ledger.accepted
    assert after.ledger.attempts[:-1] == before.ledger.attempts
    assert [row.route_id for row in after.ledger.accepted] == ["r-1"]
    assert list(after.registry.endpoints) == [device["EndpointArn"]]
    assert not after.registry.endpoint(device["EndpointArn"]).enabled


def test_what_was_forgotten_stays_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "provider.jsonl"
    before, after = Provider(), Provider()
    with Journal(path, before):
        before.forget()
    with Journal(path, after):
        assert after.ledger.accepted == []


def test_a_journal_that_cannot_be_read_says_where_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "provider.jsonl"
    path.write_text("{}\nno\n")
    with pytest.raises(LocalError, match=r"provider.jsonl, line 2: .*; remove the directory"):
        Journal(path, Provider()).__enter__()
