"""Lambda's Invoke: call another function without waiting for its result."""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.core.ports import NotInvoked


class LambdaInvoke:
    """Calls one function; makes its client when it first needs it."""

    def __init__(self, *, client: Callable[[], Any], function: str) -> None:
        self._client = client
        self._function = function

    def __call__(self, source: str) -> None:
        """Begin a run; raise NotInvoked unless Lambda accepted the call."""
        try:
            self._client().invoke(
                FunctionName=self._function,
                InvocationType="Event",
                Payload=json.dumps({"source": source}),
            )
        except ClientError as error:
            raise NotInvoked(str(error.response.get("Error", {}).get("Code"))) from None
        except BotoCoreError as error:
            raise NotInvoked(type(error).__name__) from None
