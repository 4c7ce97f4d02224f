"""SQS by its JSON protocol, for whoever has boto3: messages into the queues of the stack."""

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from local.provider.problem import AwsError
from local.queue import Message, MessageQueue
from local.template import Queue

SERVICE = "AmazonSQS."
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Document = dict[str, Any]


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
        try:
            if operation not in self._operations:
                raise AwsError(400, "UnsupportedOperation", f"{operation} is not served here")
            answer = self._operations[operation](json.loads(await request.read()))
        except AwsError as error:
            said = {"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message}
            return _answer(said, error.status)
        return _answer(answer)

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
    digest = hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": message.id, "MD5OfMessageBody": digest}


def _answer(document: Document, status: int = 200) -> web.Response:
    return web.json_response(
        document,
        status=status,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
        content_type="application/x-amz-json-1.0",
    )
