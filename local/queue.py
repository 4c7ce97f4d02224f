"""A queue of SQS in memory, and what of Lambda takes its messages to a function.

At least once, in no order, and in batches. What the function failed on comes again, until the queue
takes it for dead. What waits when the stack stops is lost.
"""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.process import Answer, Sink
from local.template import REGION, Source

# How long a message that failed is hidden. On AWS it is minutes, which nobody here waits.
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

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Take messages to the function for as long as the context lasts."""
        pollers = [asyncio.create_task(self._poll()) for _ in range(POLLERS)]
        try:
            yield
        finally:
            for poller in pollers:
                poller.cancel()
            for poller in pollers:
                with suppress(asyncio.CancelledError):
                    await poller

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
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue.arn,
        "awsRegion": REGION,
    }
