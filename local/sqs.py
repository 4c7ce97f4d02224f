"""SQS: queues in memory, its JSON protocol, and what of Lambda takes messages to a function.

At least once, in no order, and in batches. What the function failed on comes again, until the queue
takes it for dead. Waiting messages are lost when the stack stops.
"""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from local import REGION, in_background
from local.process import Answer, Sink
from local.provider.protocol import AwsError, answer
from local.template import Queue, Source

SERVICE = "AmazonSQS."
Document = dict[str, Any]
# How long a message that failed is hidden. On AWS it is minutes, too long for a local stack.
VISIBILITY_SECONDS = 1.0
# Lambda has several. With two, messages overtake each other as they do there.
POLLERS = 2
Invoke = Callable[[str, bytes], Awaitable[Answer]]


@dataclass(kw_only=True)
class Message:
    """One message, and how often it was received."""

    id: str
    body: str
    sent_at: float
    attributes: dict[str, Any] = field(default_factory=dict)  # as Lambda hands them on
    received_at: float = 0.0  # for the first time
    receives: int = 0

    @property
    def digest(self) -> str:
        """Return the MD5 of the body."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()


class _Failure(msgspec.Struct, rename="camel"):
    item_identifier: str


class _Response(msgspec.Struct, rename="camel"):
    batch_item_failures: list[_Failure] | None = None


class MessageQueue:
    """The messages for a function; `dead` holds those that it failed on too often."""

    def __init__(
        self,
        source: Source,
        invoke: Invoke,
        sink: Sink,
        *,
        visibility_seconds: float = VISIBILITY_SECONDS,
    ) -> None:
        self.source = source
        self.dead: list[Message] = []
        self._invoke = invoke
        self._sink = sink
        self._visibility_seconds = visibility_seconds
        self._visible: asyncio.Queue[Message] = asyncio.Queue()

    def send(self, document: object) -> None:
        """Take a message, whose body is the JSON text of a document."""
        self.put(json.dumps(document))

    def put(self, body: str, attributes: dict[str, Any] | None = None) -> Message:
        """Take a message and return it."""
        message = Message(
            id=str(uuid.uuid4()), body=body, sent_at=time.time(), attributes=attributes or {}
        )
        self._visible.put_nowait(message)
        return message

    def delivering(self) -> AbstractAsyncContextManager[None]:
        """Take messages to the function for as long as the context lasts."""
        return in_background(*(self._poll() for _ in range(POLLERS)))

    async def _poll(self) -> None:
        while True:
            batch = await self._receive()
            event = {"Records": [_record(message, self.source) for message in batch]}
            answer = await self._invoke(self.source.function, json.dumps(event).encode())
            if answer.failed:
                self._log(f"invocation failed: {answer.payload.decode(errors='replace')}")
            for message in failed(batch, answer):
                self._give_back(message)

    async def _receive(self) -> list[Message]:
        """Wait for a message, and take what else there is with it."""
        batch = [await self._visible.get()]
        while len(batch) < self.source.batch_size and not self._visible.empty():
            batch.append(self._visible.get_nowait())
        for message in batch:
            message.receives += 1
            message.received_at = message.received_at or time.time()
        return batch

    def _give_back(self, message: Message) -> None:
        limit = self.source.queue.max_receives
        if limit is not None and message.receives >= limit:
            self.dead.append(message)
            self._log(f"message {message.id} is dead, after {message.receives} receives")
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._visibility_seconds, self._visible.put_nowait, message)

    def _log(self, line: str) -> None:
        self._sink(self.source.function, line)


def failed(batch: Sequence[Message], answer: Answer) -> Sequence[Message]:
    """Return what of a batch a function failed on, by Lambda's rules for batchItemFailures.

    All of it where the function itself failed, where its answer cannot be read, and where that
    names a message that is not in the batch.
    """
    if answer.failed:
        return batch
    try:
        response = msgspec.json.decode(answer.payload, type=_Response | None)
    except msgspec.DecodeError:
        return batch
    failures = [] if response is None else response.batch_item_failures or []
    named = {failure.item_identifier for failure in failures}
    if not named <= {message.id for message in batch}:
        return batch
    return [message for message in batch if message.id in named]


def _record(message: Message, source: Source) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": f"{message.id}#{message.receives}",
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int(message.sent_at * 1000)),
            "SenderId": "events.amazonaws.com",
            "ApproximateFirstReceiveTimestamp": str(int(message.received_at * 1000)),
        },
        "messageAttributes": message.attributes,
        "md5OfBody": message.digest,
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue.arn,
        "awsRegion": REGION,
    }


def serve(app: web.Application, queues: Mapping[str, MessageQueue]) -> None:
    """Answer for SQS at POST /, which is SNS's too: a header says what a request is for."""
    service = _Service(queues)

    @web.middleware
    async def sqs(request: web.Request, handler: Handler) -> web.StreamResponse:
        target = request.headers.get("X-Amz-Target", "")
        if not target.startswith(SERVICE):
            return await handler(request)
        return await service.handle(target.removeprefix(SERVICE), request)

    app.middlewares.append(sqs)


class _Service:
    def __init__(self, queues: Mapping[str, MessageQueue]) -> None:
        self._queues = queues
        self._operations: dict[str, Callable[[Document], Document]] = {
            "GetQueueUrl": self._get_queue_url,
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_message_batch,
        }

    async def handle(self, operation: str, request: web.Request) -> web.Response:
        """Carry out an operation."""
        if operation not in self._operations:
            raise AwsError(400, "UnsupportedOperation", f"{operation} is not served here")
        return answer(self._operations[operation](json.loads(await request.read())))

    def _get_queue_url(self, given: Document) -> Document:
        return {"QueueUrl": self._found(lambda queue: queue.name == given["QueueName"]).url}

    def _send_message(self, given: Document) -> Document:
        return _sent(self._addressed(given).put(given["MessageBody"], _attributes(given)))

    def _send_message_batch(self, given: Document) -> Document:
        queue = self._addressed(given)
        sent = [
            {"Id": entry["Id"], **_sent(queue.put(entry["MessageBody"], _attributes(entry)))}
            for entry in given["Entries"]
        ]
        return {"Successful": sent, "Failed": []}

    def _addressed(self, given: Document) -> MessageQueue:
        return self._queues[self._found(lambda queue: queue.url == given["QueueUrl"]).id]

    def _found(self, wanted: Callable[[Queue], bool]) -> Queue:
        for queue in self._queues.values():
            if wanted(queue.source.queue):
                return queue.source.queue
        raise AwsError(400, "QueueDoesNotExist", "The specified queue does not exist.")


def _attributes(given: Document) -> Document:
    """Return the attributes of a message as Lambda hands them on."""
    return {
        name: {
            "stringValue": said.get("StringValue"),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": said["DataType"],
        }
        for name, said in given.get("MessageAttributes", {}).items()
    }


def _sent(message: Message) -> Document:
    return {"MessageId": message.id, "MD5OfMessageBody": message.digest}
