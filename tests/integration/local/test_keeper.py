"""A PostgreSQL that dies is started again."""

import asyncio
import os
import signal
from pathlib import Path

import psycopg

from local.keeper import Keeper
from local.postgres import Server


def answers(server: Server) -> bool:
    try:
        with psycopg.connect(server.url(), connect_timeout=2) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


async def until_it_answers(server: Server) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(answers, server):
            await asyncio.sleep(0.05)


def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(tmp_path / "postgres", durable=False)
        async with Keeper(server).running() as keeper:
            killed = server.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            await until_it_answers(server)
            assert keeper.up
            assert server.pid != killed
        assert server.pid is None

    asyncio.run(scenario())


def test_a_pause_ends_by_itself_or_when_it_is_told_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(tmp_path / "postgres", durable=False)
        async with Keeper(server).running() as keeper:
            await keeper.pause(1)
            assert not keeper.up
            assert keeper.paused_for > 0
            await until_it_answers(server)
            assert keeper.paused_for == 0
            await keeper.pause(60)
            keeper.resume()
            await until_it_answers(server)

    asyncio.run(scenario())
