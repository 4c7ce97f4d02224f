import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import boto3
import psutil
import psycopg
import pytest
from botocore.config import Config
from psycopg.types.json import Json

from local import LocalError
from local.stack import Options, Stack
from tests.builders import CHANNEL
from tests.runs import is_running
from tests.sending import EVENTS, channel_body
from tests.stacks import a_stack

ROOT = Path(__file__).parents[3]
JSON = ("payload", "recipients")
TEMPLATE = """
Globals:
  Function:
    Handler: app.handler
    Timeout: 5
    Environment: {Variables: {DATABASE_URL: "", AWS_ENDPOINT_URL: "", CATALOG_PATH: /opt/catalog}}
Resources:
  ProvisionFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: provision}
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: echo
      Events:
        Echo: {Type: HttpApi, Properties: {Path: "/echo/{word}", Method: GET}}
        Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), Input: '"tick"'}}
"""
PROVISION = """
import os, psycopg
def handler(event, context):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("create table if not exists provisioned ()")
    return {}
"""
ECHO = """
def handler(event, context):
    print(event if isinstance(event, str) else "called", flush=True)
    if isinstance(event, dict) and "pathParameters" in event:
        return {"statusCode": 200, "body": event["pathParameters"]["word"]}
    return event
"""


@pytest.fixture
def options(tmp_path: Path) -> Options:
    for name, source in (("provision", PROVISION), ("echo", ECHO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(source)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return Options(directory=tmp_path / "stack", root=tmp_path, durable=False)


def test_a_stack_answers_over_http_and_has_been_provisioned(options: Options) -> None:
    async def scenario() -> None:
        async with Stack(options) as stack, aiohttp.ClientSession() as session:
            async with session.get(f"{stack.api_url}/echo/hello") as response:
                assert await response.text() == "hello"
            with psycopg.connect(stack.database_url) as connection:
                known = connection.execute("select to_regclass('provisioned') is not null")
                assert known.fetchone() == (True,)

    asyncio.run(scenario())


def test_the_data_of_a_stack_is_there_when_it_is_started_again(options: Options) -> None:
    async def scenario() -> None:
        async with Stack(options) as stack:
            with psycopg.connect(stack.database_url) as connection:
                connection.execute("create table kept as select 42 as answer")
        async with Stack(options) as stack:
            with psycopg.connect(stack.database_url) as connection:
                assert connection.execute("select answer from kept").fetchone() == (42,)

    asyncio.run(scenario())


def test_a_schedule_fires_every_tick(options: Options) -> None:
    ticking = Options(
        directory=options.directory, root=options.root, durable=False, tick_seconds=0.2
    )

    async def scenario() -> None:
        async with Stack(ticking) as stack:
            log = stack.logs.path("EchoFunction")
            async with asyncio.timeout(10):
                while not log.exists() or log.read_text().count("tick") < 3:
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_boto3_invokes_functions_at_the_aws_endpoint(options: Options) -> None:
    def call(url: str) -> None:
        aws = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        answer = aws.invoke(FunctionName="EchoFunction", Payload=b'{"a": 1}')
        with answer["Payload"] as payload:
            assert json.loads(payload.read()) == {"a": 1}
        assert "FunctionError" not in answer
        later = aws.invoke(FunctionName="EchoFunction", InvocationType="Event", Payload=b'"x"')
        assert later["StatusCode"] == 202
        with later["Payload"] as payload:
            payload.read()
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            aws.invoke(FunctionName="Nobody")
        aws.close()

    async def scenario() -> None:
        async with Stack(options) as stack:
            await asyncio.to_thread(call, stack.aws_url)

    asyncio.run(scenario())


def test_a_provisioning_that_fails_stops_the_stack_and_says_where_to_look(
    options: Options,
) -> None:
    (options.root / "provision" / "app.py").write_text("def handler(event, context): 1 / 0")

    async def scenario() -> None:
        with pytest.raises(LocalError, match=r"ProvisionFunction failed, see .*ZeroDivisionError"):
            async with Stack(options):
                pass

    asyncio.run(scenario())


async def users_of(stack: Stack) -> set[str]:
    """Return the users that functions are connected as, when each that serves has had an event."""
    record = {"messageId": "message-1", "body": json.dumps(EVENTS[CHANNEL])}
    await stack.invoke("FeedbackFunction", {"Records": [record]})
    for function, name in (
        ("SubmitFunction", CHANNEL),
        ("ApiFunction", "get"),
        ("DispatchFunction", "schedule"),
        ("PurgeFunction", "schedule"),
    ):
        await stack.invoke(function, json.loads((ROOT / "events" / f"{name}.json").read_text()))
    with psycopg.connect(stack.database_url) as connection:
        found = connection.execute(
            "select distinct usename from pg_stat_activity"
            " where application_name = 'dovecote' and datname = current_database()"
        )
        return {user for (user,) in found}


def test_each_function_of_dovecote_is_a_user_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path) as stack:
            assert await users_of(stack) == {
                "dovecote_submit", "dovecote_api", "dovecote_dispatch", "dovecote_feedback",
                "dovecote_purge",
            }  # fmt: skip

    asyncio.run(scenario())


def submitted_by_a_producer(url: str) -> str:
    """Submit in SQL as a user who may do nothing else; return the id of the notification."""
    body = channel_body()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("create role shop login password 'x'; grant dovecote_producer to shop")
    with psycopg.connect(url, user="shop", password="x") as own:
        submitted = own.execute(
            "select (dovecote.submit(%(kind)s, %(idempotency_key)s, %(payload)s, %(recipients)s))"
            ".notification_id",
            {name: Json(value) if name in JSON else value for name, value in body.items()},
        ).fetchone()
    assert submitted is not None
    return str(submitted[0])


def test_what_a_producer_submits_in_sql_is_delivered_by_the_schedule(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path, tick_seconds=0.5) as stack:
            await asyncio.to_thread(submitted_by_a_producer, stack.database_url)
            async with asyncio.timeout(30):
                while not stack.provider.ledger.accepted:
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_what_a_producer_submits_in_sql_is_there_as_soon_as_it_is_read(tmp_path: Path) -> None:
    """Api has submit expand it; each function is the database user that it is on AWS."""

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack, aiohttp.ClientSession(stack.api_url) as session:
            one = await asyncio.to_thread(submitted_by_a_producer, stack.database_url)
            async with session.get(f"/notifications/{one}") as answer:
                assert answer.status == 200
                (route,) = (await answer.json())["routes"]
            assert route["status"] == "pending"
            async with session.delete(f"/notifications/{one}") as answer:
                assert (await answer.json())["cancelled"] == 1
            async with session.get("/refused") as answer:
                assert await answer.json() == {"refused": [], "next": None}

    asyncio.run(scenario())


def test_on_a_server_of_somebody_else_s_all_are_its_owner(
    tmp_path: Path, empty_database_url: str
) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path, database_url=empty_database_url) as stack:
            assert await users_of(stack) == {urlsplit(empty_database_url).username}

    asyncio.run(scenario())


def test_nothing_of_a_stack_outlives_its_process(options: Options) -> None:
    source = f"""
        import asyncio
        from pathlib import Path
        from local.stack import Options, Stack

        async def main():
            options = Options(
                directory=Path({str(options.directory)!r}),
                root=Path({str(options.root)!r}),
                durable=False,
            )
            async with Stack(options) as stack:
                await stack.invoke("EchoFunction", {{}})
                print("up", flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        family = [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]
        os.kill(parent.pid, signal.SIGKILL)

    assert len(family) >= 3  # PostgreSQL and two functions, and what PostgreSQL started
    deadline = time.monotonic() + 10
    while left := [pid for pid in family if is_running(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
