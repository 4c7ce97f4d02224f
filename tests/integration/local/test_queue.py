import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local import LocalError
from local.process import Answer
from local.provider import Fault, Order, Provider
from local.sam.event import read_event
from local.sqs import Message, MessageQueue, failed
from local.stack import Options, Stack
from local.template import Queue, Source, read_template

ROOT = Path(__file__).parents[3]
ARN = "arn:aws:sqs:us-east-1:123456789012:Events"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/Events"
EVENTS = Queue(id="Events", name="Events", arn=ARN, url=URL, max_receives=3, fed=True)
SOURCE = Source(queue=EVENTS, function="Reader", batch_size=10)
DONE = Answer(payload=b'{"batchItemFailures": []}')
ERROR = Answer.error("Unhandled", "no")


class Reader:
    """A function that keeps the batches that it got, and answers as it is told to."""

    def __init__(self, answer: Callable[[list[Any]], Answer] = lambda _: DONE) -> None:
        self.batches: list[list[Any]] = []
        self.lines: list[str] = []
        self._answer = answer

    async def __call__(self, name: str, payload: bytes) -> Answer:
        assert name == "Reader"
        records = json.loads(payload)["Records"]
        self.batches.append([json.loads(record["body"]) for record in records])
        return self._answer(records)

    @property
    def seen(self) -> list[Any]:
        return [body for batch in self.batches for body in batch]


def deliver(
    reader: Reader, documents: list[Any], until: Callable[[MessageQueue], bool]
) -> MessageQueue:
    """Send documents, wait until something is so, and a moment longer for what must not come."""

    async def scenario() -> MessageQueue:
        queue = MessageQueue(
            SOURCE, reader, lambda _, line: reader.lines.append(line), visibility_seconds=0.05
        )
        for document in documents:
            queue.send(document)
        async with queue.delivering(), asyncio.timeout(5):
            while not until(queue):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.15)
        return queue

    return asyncio.run(scenario())


def naming(wanted: Any) -> Callable[[list[Any]], Answer]:
    """Return an answer that names the messages with a body as failed."""

    def answer(records: list[Any]) -> Answer:
        ids = [one["messageId"] for one in records if json.loads(one["body"]) == wanted]
        failures = [{"itemIdentifier": identifier} for identifier in ids]
        return Answer(payload=json.dumps({"batchItemFailures": failures}).encode())

    return answer


# The queue


def test_a_message_is_a_record_of_sqs_with_the_document_as_text() -> None:
    records: list[Any] = []

    def keep(given: list[Any]) -> Answer:
        records.extend(given)
        return DONE

    before = int(time.time() * 1000)
    deliver(Reader(keep), [{"detail-type": "Email Sent"}], lambda _: bool(records))

    (record,) = records
    assert json.loads(record["body"]) == {"detail-type": "Email Sent"}
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:sqs", ARN)
    assert len(record["messageId"]) == 36
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert int(record["attributes"]["SentTimestamp"]) >= before


def test_messages_come_once_in_batches_of_the_sources_size() -> None:
    reader = Reader()

    deliver(reader, list(range(23)), lambda _: len(reader.seen) >= 23)

    assert sorted(reader.seen) == list(range(23))
    assert max(map(len, reader.batches)) == 10


def test_what_a_function_names_comes_again_and_the_rest_does_not() -> None:
    reader = Reader(naming(2))

    queue = deliver(reader, [1, 2, 3], lambda queue: bool(queue.dead))

    assert reader.batches == [[1, 2, 3], [2], [2]]
    (dead,) = queue.dead
    assert (dead.body, dead.receives) == ("2", 3)
    assert reader.lines == [f"message {dead.id} is dead, after 3 receives"]


def test_all_of_a_batch_comes_again_where_the_function_failed() -> None:
    answers = iter([ERROR, DONE])
    reader = Reader(lambda _: next(answers))

    queue = deliver(reader, [1, 2], lambda _: len(reader.batches) == 2)

    assert reader.batches == [[1, 2], [1, 2]]
    assert queue.dead == []
    assert reader.lines == [f"invocation failed: {ERROR.payload.decode()}"]


def test_a_batch_that_is_stuck_holds_up_no_other() -> None:
    seen: list[Any] = []

    async def stick(_: str, payload: bytes) -> Answer:
        (record,) = json.loads(payload)["Records"]
        if record["body"] == '"stuck"':
            await asyncio.sleep(60)
        seen.append(record["body"])
        return DONE

    async def scenario(invoke: Callable[[str, bytes], Awaitable[Answer]]) -> None:
        queue = MessageQueue(SOURCE, invoke, lambda _name, _line: None)
        async with queue.delivering(), asyncio.timeout(5):
            queue.send("stuck")
            await asyncio.sleep(0.05)
            queue.send("free")
            while not seen:
                await asyncio.sleep(0.01)

    asyncio.run(scenario(stick))
    assert seen == ['"free"']


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"batchItemFailures": []}', []),
        (b'{"batchItemFailures": null}', []),
        (b"{}", []),
        (b"null", []),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', ["b"]),
        # What Lambda cannot make sense of failed as a whole.
        (b'{"batchItemFailures": [{"itemIdentifier": "nobody"}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ["a", "b"]),
        (b'{"batchItemFailures": [{"id": "a"}]}', ["a", "b"]),
        (b'"fine"', ["a", "b"]),
    ],
)
def test_an_answer_names_what_failed_as_lambda_reads_it(
    payload: bytes, expected: list[str]
) -> None:
    batch = [Message(id=name, body="{}", sent_at=0) for name in ("a", "b")]

    assert [message.id for message in failed(batch, Answer(payload=payload))] == expected


# The template

TEMPLATE = """
Parameters:
  Listening: {Type: String, Default: "yes"}
Conditions:
  Listens: !Equals [!Ref Listening, "yes"]
Globals:
  Function:
    Handler: app.handler
    Timeout: 5
    Environment:
      Variables:
        DATABASE_URL: ""
        AWS_ENDPOINT_URL: ""
        CATALOG_PATH: /opt/catalog
        QUEUE_URL: !Ref Events
Resources:
  ReaderFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: reader, FunctionName: !Sub "${AWS::StackName}-reader"}
  Events:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead:
    Type: AWS::SQS::Queue
  Rule:
    Type: AWS::Events::Rule
    Properties: {Targets: [{Id: queue, Arn: !GetAtt Events.Arn}]}
  Source:
    Type: AWS::Lambda::EventSourceMapping
    Condition: Listens
    Properties:
      EventSourceArn: !GetAtt Events.Arn
      FunctionName: !Ref ReaderFunction
      BatchSize: 5
  Stream:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/other
      FunctionName: !GetAtt ReaderFunction.Arn
"""
READER = """
import json, pathlib
def handler(event, context):
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    print([body["detail-type"] for body in bodies], flush=True)
    if any(body["detail-type"] == "Email Rejected" for body in bodies):
        once = pathlib.Path("once")
        if not once.exists():
            once.touch()
            raise RuntimeError("for once")
    return {"batchItemFailures": []}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def test_a_template_says_which_function_reads_a_queue(path: Path) -> None:
    template = read_template(path)

    assert template.sources == (Source(queue=EVENTS, function="ReaderFunction", batch_size=5),)
    assert template.functions["ReaderFunction"].environment["QUEUE_URL"] == URL


def test_a_source_whose_condition_does_not_hold_is_absent(path: Path) -> None:
    assert read_template(path, {"Listening": "no"}).sources == ()


def test_a_source_that_is_not_enabled_is_absent(path: Path) -> None:
    path.write_text(TEMPLATE.replace("BatchSize: 5", "Enabled: false"))

    assert read_template(path).sources == ()


def test_a_source_of_no_function_is_an_error(path: Path) -> None:
    path.write_text(TEMPLATE.replace("FunctionName: !Ref ReaderFunction", "FunctionName: nobody"))

    with pytest.raises(LocalError, match="Source is of no function"):
        read_template(path)


def test_dovecotes_submit_has_a_source_and_its_feedback_where_it_is_on() -> None:
    (submit,) = read_template(ROOT / "template.yaml").sources
    assert (submit.function, submit.batch_size) == ("SubmitFunction", 10)
    assert (submit.queue.id, submit.queue.max_receives) == ("SubmitQueue", 10)
    assert (submit.queue.name, submit.queue.fed) == ("dovecote-submit", False)

    parameters = {"EmailIdentity": "example.com"}
    _, feedback = read_template(ROOT / "template.yaml", parameters).sources
    assert (feedback.function, feedback.batch_size) == ("FeedbackFunction", 10)
    assert (feedback.queue.id, feedback.queue.max_receives) == ("FeedbackQueue", 5)
    assert feedback.queue.fed


def test_the_event_of_ses_in_events_is_for_feedback_and_about_no_notification() -> None:
    event = read_event("feedback")

    assert event.function == "FeedbackFunction"
    assert not event.refers
    (record,) = event.document["Records"]
    tags = json.loads(record["body"])["detail"]["mail"]["tags"]
    assert tags["route_id"] == ["00000000-0000-0000-0000-000000000000"]


# The stack


@pytest.fixture
def options(path: Path) -> Options:
    directory = path.parent
    (directory / "reader").mkdir()
    (directory / "reader" / "app.py").write_text(READER)
    # The functions here ask nothing of a database.
    return Options(
        directory=directory / "stack", root=directory, database_url="postgresql://nowhere"
    )


def send(url: str) -> None:
    ses = boto3.client(
        "sesv2",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    body = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    ses.send_email(
        FromEmailAddress="shop@example.com",
        Destination={"ToAddresses": ["success@simulator.amazonses.com"]},
        Content={"Simple": body},
    )
    ses.close()


async def logged(stack: Stack, *wanted: str) -> str:
    """Wait until the reader's log has all that is wanted, and return it."""
    log = stack.logs.path("ReaderFunction")
    async with asyncio.timeout(10):
        while not (log.exists() and all(one in log.read_text() for one in wanted)):
            await asyncio.sleep(0.05)
    return log.read_text()


def test_ses_events_of_any_provider_reach_the_function_while_the_stack_runs(
    options: Options,
) -> None:
    provider = Provider()

    async def scenario() -> None:
        async with Stack(options, provider) as stack:
            await asyncio.to_thread(send, stack.aws_url)
            await logged(stack, "Email Sent", "Email Delivered")
            assert list(stack.queues) == ["Events"]
        assert provider.listeners == []

    asyncio.run(scenario())


def test_events_that_the_function_failed_on_come_again(options: Options) -> None:
    provider = Provider()
    provider.give(Order(do=Fault.REJECT))

    async def scenario() -> None:
        async with Stack(options, provider) as stack:
            await asyncio.to_thread(send, stack.aws_url)
            log = await logged(stack, "invocation failed")
            assert "for once" in log
            async with asyncio.timeout(10):
                while stack.logs.path("ReaderFunction").read_text().count("Email Rejected") < 2:
                    await asyncio.sleep(0.05)
            assert stack.queues["Events"].dead == []

    asyncio.run(scenario())


def test_a_stack_without_a_source_listens_to_nobody(options: Options) -> None:
    provider = Provider()
    deaf = Options(
        directory=options.directory,
        root=options.root,
        database_url=options.database_url,
        parameters={"Listening": "no"},
    )

    async def scenario() -> None:
        async with Stack(deaf, provider) as stack:
            assert stack.queues == {}
            assert provider.listeners == []

    asyncio.run(scenario())
