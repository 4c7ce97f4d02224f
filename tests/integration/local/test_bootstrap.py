"""A function runs on local/bootstrap.py as it does on awslambdaric."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from local import bootstrap
from tests.sending import channel_body
from tests.stacks import a_function, a_stack

WITH_AWSLAMBDARIC = "awslambdaric" in bootstrap.command("app.handler")
EVENT = {"ä": "😀 \u2028 \ud800", "numbers": [1.5, -0.0, 10**20, 1e-7, None, True], "": {}}
CASES: dict[str, tuple[str, Any]] = {
    "the event": ("def handler(event, context): return event", EVENT),
    "a large event": ("def handler(event, context): return event", "ä" * 900_000),
    "an answer over the limit": ("def handler(event, context): return 'x' * 7_000_000", None),
    "an answer that is no JSON": ("def handler(event, context): return {1}", None),
    "nothing": ("def handler(event, context): pass", None),
    "the context": (
        """
        import os
        NAMES = (
            "aws_request_id", "function_name", "function_version", "invoked_function_arn",
            "log_group_name", "log_stream_name", "memory_limit_in_mb",
        )
        def handler(event, context):
            left = context.get_remaining_time_in_millis()
            return {name: getattr(context, name) for name in NAMES} | {
                "trace": os.environ["_X_AMZN_TRACE_ID"], "in time": 3000 < left <= 5000,
            }
        """,
        None,
    ),
    "the path": ("import sys\ndef handler(event, context): return sys.path", None),
    "an exception": (
        """
        def below():
            raise LookupError("first line ä\\n  second line")
        def handler(event, context):
            try:
                below()
            except LookupError as error:
                raise ValueError(f"because of {error}") from error
        """,
        None,
    ),
    "an exception without a message": ("def handler(event, context): raise OSError", None),
    "no such module": ("import nothing_of_the_kind", None),
    "no such name in a module": ("from json import nothing_of_the_kind", None),
    "a syntax error": ("def handler(event, context)\n    return 1", None),
    "no handler": ("def another(event, context): pass", None),
    "an exception at import": ("class Own(Exception): pass\nraise Own('ä')", None),
    "an exit at import": ("import sys\nsys.exit(3)", None),
    "an exit": ("import sys\ndef handler(event, context): sys.exit(4)", None),
    "SIGTERM": (
        "import os, time\ndef handler(event, context): os.kill(os.getpid(), 15); time.sleep(9)",
        None,
    ),
    "a timeout": ("import time\ndef handler(event, context): time.sleep(9)", None),
    "output": (
        """
        import logging, sys
        logging.warning("imported")
        def handler(event, context):
            print("printed", "ä")
            print("an error", file=sys.stderr)
            logging.getLogger("a.library").error("logged %s", event)
            logging.info("not logged")
        """,
        "an event",
    ),
}
VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"), "<trace>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
)


def hide(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a module of awslambdaric from the code that looks for it."""
    monkeypatch.setitem(sys.modules, module, None)
    assert "awslambdaric" not in bootstrap.command("app.handler")


def ran(folder: Path, source: str, event: object, timeout: int) -> list[str]:
    """Run a function twice; return its answers and log, without what differs from run to run.

    A function that reaches its timeout is run once.
    """
    lines: list[str] = []
    answers: list[str] = []

    async def scenario() -> None:
        sink = lambda _, line: lines.append(line)  # noqa: E731
        async with a_function(folder, sink, source, timeout=timeout) as runtime:
            for _ in range(2 if timeout > 1 else 1):
                answer = await runtime.invoke("sample", json.dumps(event).encode())
                answers.append(f"{answer.failed} {answer.payload.decode()}")

    asyncio.run(scenario())
    # awslambdaric's advice on updates of Lambda's runtimes.
    logged = [line for line in lines if "LAMBDA_WARNING" not in line and line]
    return [steady(text) for text in (*answers, *logged)]


def steady(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


@pytest.mark.skipif(not WITH_AWSLAMBDARIC, reason="awslambdaric has no wheel for this platform")
@pytest.mark.parametrize("case", list(CASES))
def test_answers_errors_and_logs_are_those_of_awslambdaric(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, event = CASES[case]
    timeout = 1 if case == "a timeout" else 5
    wanted = ran(tmp_path, source, event, timeout)
    hide("awslambdaric", monkeypatch)
    assert ran(tmp_path, source, event, timeout) == wanted


def test_the_functions_send_without_awslambdaric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide("runtime_client", monkeypatch)

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack, aiohttp.ClientSession(stack.api_url) as session:
            async with session.post("/notifications", json=channel_body()) as stored:
                assert stored.status == 202
            assert len(stack.provider.ledger.accepted) == 1

    asyncio.run(scenario())
