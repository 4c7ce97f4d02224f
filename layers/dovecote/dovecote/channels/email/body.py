"""Let a client of boto3 send a body that is written already.

boto3 walks through what it sends three times: it validates, copies and writes it. For an entry of a
bulk call that is as much as all else of it.
"""

from collections.abc import Mapping
from typing import Any

BODY = "Body"


def take_bodies(client: Any, operations: Mapping[str, Mapping[str, Any]]) -> None:
    """Make operations of a client take the bytes of their body, `Body`, as their one argument.

    Each is given with parameters that are valid and as few as may be, of which nothing is sent.
    """

    def keep(params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> Any:
        context[BODY] = params[BODY]
        return dict(operations[model.name])

    def put(params: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        params["body"] = context[BODY]

    service = client.meta.service_model.service_id.hyphenize()
    for name in operations:
        # A channel that is made anew of the same client registers nothing twice.
        for event, handler in (("provide-client-params", keep), ("before-call", put)):
            topic = f"{event}.{service}.{name}"
            client.meta.events.register(topic, handler, unique_id=topic)
