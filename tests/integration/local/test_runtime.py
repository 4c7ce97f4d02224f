import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import LocalError
from local.runtime import Runtime
from tests.runs import is_running
from tests.stacks import a_function

Running = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def running(tmp_path: Path, lines: list[str]) -> Running:
    """Run one function, `sample`, of the given source."""

    return partial(a_function, tmp_path, lambda _, line: lines.append(line))


async def call(runtime: Runtime, event: object = None) -> Any:
    answer = await runtime.invoke("sample", json.dumps(event).encode())
    assert not answer.failed, answer.payload
    return json.loads(answer.payload)


async def failure(runtime: Runtime, event: object = None) -> dict[str, Any]:
    answer = await runtime.invoke("sample", json.dumps(event).encode())
    assert answer.failed
    document: dict[str, Any] = json.loads(answer.payload)
    return document


def test_a_function_gets_its_event_and_context(running: Running) -> None:
    source = """
        def handler(event, context):
            return {
                "event": event,
                "arn": context.invoked_function_arn,
                "name": context.function_name,
                "left": context.get_remaining_time_in_millis(),
            }
    """

    async def scenario() -> None:
        async with running(source, timeout=7) as runtime:
            answer = await call(runtime, {"a": "ä"})
            assert answer["event"] == {"a": "ä"}
            assert answer["arn"].endswith(":function:sample")
            assert answer["name"] == "sample"
            assert 6000 < answer["left"] <= 7000

    asyncio.run(scenario())


def test_the_environment_is_the_templates_with_the_stacks_overrides(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "secret")
    source = """
        import os
        def handler(event, context):
            return dict(os.environ)
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            environment = await call(runtime)
            assert environment["COLOUR"] == "of the stack"
            assert environment["SHAPE"] == "round"
            assert environment["AWS_REGION"] == "us-east-1"
            assert environment["_X_AMZN_TRACE_ID"].startswith("Root=1-")
            assert "OURS" not in environment

    asyncio.run(scenario())


def test_a_process_is_used_again(running: Running) -> None:
    source = """
        import os
        def handler(event, context):
            return os.getpid()
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            assert await call(runtime) == await call(runtime)

    asyncio.run(scenario())


def test_events_at_the_same_time_get_processes_of_their_own_up_to_the_limit(
    running: Running,
) -> None:
    source = """
        import os, time
        def handler(event, context):
            time.sleep(0.3)
            return os.getpid()
    """

    async def scenario() -> None:
        async with running(source, concurrency=3) as runtime:
            pids = await asyncio.gather(*(call(runtime) for _ in range(6)))
            assert len(set(pids)) == 3

    asyncio.run(scenario())


def test_an_exception_is_answered_as_lambda_does(running: Running) -> None:
    source = """
        def handler(event, context):
            raise ValueError("not like this")
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            error = await failure(runtime)
            assert (error["errorType"], error["errorMessage"]) == ("ValueError", "not like this")
            assert error["stackTrace"]

    asyncio.run(scenario())


@pytest.mark.timed
def test_a_function_is_killed_at_its_timeout_and_started_anew(running: Running) -> None:
    source = """
        import os, time
        def handler(event, context):
            print(os.getpid())
            time.sleep(event)
            return "done"
    """

    async def scenario() -> None:
        async with running(source, timeout=1) as runtime:
            began = time.monotonic()
            error = await failure(runtime, 30)
            assert error["errorType"] == "Sandbox.Timedout"
            assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
            assert time.monotonic() - began < 5
            assert await call(runtime, 0) == "done"

    asyncio.run(scenario())


def test_a_killed_function_is_gone(running: Running, lines: list[str]) -> None:
    source = """
        import os, subprocess, time
        def handler(event, context):
            print(os.getpid())
            print(subprocess.Popen(["sleep", "60"]).pid)
            time.sleep(60)
    """

    async def scenario() -> None:
        async with running(source, timeout=1) as runtime:
            await failure(runtime)

    asyncio.run(scenario())
    assert len(lines) == 2
    # The kernel ends a killed process a moment after the signal.
    deadline = time.monotonic() + 5
    while any(is_running(int(line)) for line in lines) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(is_running(int(line)) for line in lines)


@pytest.mark.parametrize("name", ["Killed", "Killed: 9"], ids=["Linux", "macOS"])
def test_a_process_that_dies_is_answered_for(
    running: Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "strsignal", {9: name}.get)
    source = """
        import os
        def handler(event, context):
            if event == "exit":
                os._exit(3)
            if event == "kill":
                os.kill(os.getpid(), 9)
            return "alive"
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            exited = await failure(runtime, "exit")
            killed = await failure(runtime, "kill")
            assert exited["errorType"] == killed["errorType"] == "Runtime.ExitError"
            assert exited["errorMessage"].endswith("exited with error: exit status 3")
            assert killed["errorMessage"].endswith("exited with error: signal: killed")
            assert await call(runtime) == "alive"

    asyncio.run(scenario())


def test_an_error_of_the_import_is_the_answer(running: Running) -> None:
    async def scenario() -> None:
        async with running("import nothing_of_the_kind") as runtime:
            for _ in range(2):
                error = await failure(runtime)
                assert error["errorType"] == "Runtime.ImportModuleError"
                assert "nothing_of_the_kind" in error["errorMessage"]

    asyncio.run(scenario())


def test_an_answer_over_six_megabytes_is_an_error(running: Running) -> None:
    source = """
        def handler(event, context):
            return "x" * 7_000_000
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            assert (await failure(runtime))["errorType"] == "Function.ResponseSizeTooLarge"

    asyncio.run(scenario())


def test_output_is_forwarded_line_by_line(running: Running, lines: list[str]) -> None:
    source = """
        import sys
        def handler(event, context):
            print("one")
            print("two", file=sys.stderr)
            print("x" * 100_000)
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            await call(runtime)

    asyncio.run(scenario())
    assert lines == ["one", "two", "x" * 100_000]


def test_an_event_in_the_background_that_fails_is_logged_and_not_tried_again(
    running: Running, lines: list[str]
) -> None:
    source = """
        def handler(event, context):
            print("tried")
            raise ValueError("no")
    """

    async def scenario() -> None:
        async with running(source) as runtime:
            runtime.invoke_later("sample", b"{}")
            while not any(line.startswith("invocation failed") for line in lines):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)

    asyncio.run(scenario())
    assert lines.count("tried") == 1


def kill_as_macos(group: int, number: int, kill: Callable[[int, int], None] = os.killpg) -> None:
    """Kill a group, and fail as macOS does where all that is left of it is a zombie."""
    kill(group, number)
    raise PermissionError


@pytest.mark.parametrize("kill", [os.killpg, kill_as_macos], ids=["Linux", "macOS"])
def test_stopping_kills_what_is_at_work(
    running: Running, lines: list[str], kill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "killpg", kill)
    source = """
        import os, time
        def handler(event, context):
            print(os.getpid())
            time.sleep(60)
    """

    async def scenario() -> None:
        async with running(source, timeout=60) as runtime:
            runtime.invoke_later("sample", b"{}")
            while not lines:
                await asyncio.sleep(0.05)

    asyncio.run(scenario())
    assert not is_running(int(lines[0]))


def test_a_function_is_found_by_name_and_arn(running: Running) -> None:
    async def scenario() -> None:
        async with running("def handler(event, context): return event") as runtime:
            arn = "arn:aws:lambda:us-east-1:123456789012:function:sample"
            assert (await runtime.invoke(arn, b"1")).payload == b"1"
            with pytest.raises(LocalError):
                await runtime.invoke("other", b"1")

    asyncio.run(scenario())


@pytest.mark.parametrize("platform", sorted({sys.platform, "another"}))
def test_a_leashed_command_dies_with_its_parent(platform: str) -> None:
    leashed = f"import sys; sys.platform = {platform!r}; from local import leash; leash.main("
    source = f"""
        import signal, subprocess, sys, time
        from local import leash
        python, _, _, _, *arguments = leash.command("sleep", "60", signal=signal.SIGKILL)
        child = subprocess.Popen([python, "-c", {f"{leashed}*sys.argv[1:])"!r}, *arguments])
        print(child.pid, flush=True)
        time.sleep(60)
    """
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while psutil.Process(child).name() != "sleep":
            time.sleep(0.02)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not is_running(child)
