"""What CloudFormation does for a custom resource: it asks, and waits for an answer at a URL."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "X-Amz-Signature=0123456789abcdef"


@dataclass
class Waiting:
    """Takes answers; of the first it refuses or drops as many as it is told to."""

    url: str
    refuse: int = 0
    drop: int = 0
    requests: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """Return the only answer."""
        (answer,) = self.answers
        return answer

    def event(self, request: str = "Create", **more: Any) -> dict[str, Any]:
        """Return the event of a request; its properties are strings, as CloudFormation's are."""
        return {
            "RequestType": request,
            "ResponseURL": f"{self.url}/response?{SECRET}",
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/dovecote/1",
            "RequestId": "request-1",
            "LogicalResourceId": "Schema",
            "ResourceType": "Custom::Schema",
            "ResourceProperties": {
                "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:provision",
                "ServiceTimeout": "600",
                "Code": "arn:aws:lambda:us-east-1:123456789012:layer:dovecote:1",
                "Users": {},
                "Settings": ["INFO", "8"],
            },
            **more,
        }


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Wait for answers on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.requests += 1
            if here.requests <= here.drop:
                return  # the connection is closed
            refused = here.requests <= here.drop + here.refuse
            if not refused:
                here.headers.append(self.headers)
                here.sizes.append(len(body))
                here.answers.append(json.loads(body))
            self.send_response(503 if refused else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Waiting(url=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()
