"""Let one operation of a boto3 client take a body that is already written.

boto3 goes through the parameters three times: it validates, copies and serialises them. For a bulk
call of 50 emails that halves the recipients per second of CPU (ADR 37). A single email uses the
plain client.
"""

from collections.abc import Mapping
from typing import Any

BODY = "Body"


def take_body(client: Any, operation: str, least: Mapping[str, Any]) -> None:
    """Make an operation of a client take its body as bytes, in its one argument `Body`.

    `least` are the fewest parameters that are valid; boto3 reads them and sends none of them.
    """

    def keep(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> Any:
        context[BODY] = params[BODY]
        return dict(least)

    def put(params: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        params["body"] = context[BODY]

    topic = f"{client.meta.service_model.service_id.hyphenize()}.{operation}"
    # A second channel with the same client registers nothing twice.
    for event, handler in (("provide-client-params", keep), ("before-call", put)):
        client.meta.events.register(f"{event}.{topic}", handler, unique_id=f"{event}.{topic}")
