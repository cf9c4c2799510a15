"""The event loop's own connections: they end and come back, and a statement that waits holds up nobody."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter, open_connection, open_unix_connection
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DataError, connection
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from config.web.front import Front
from config.web.lines import SHARED_BY, Line
from config.web.request import Answer
from tests import factories
from tests.config.web.conftest import database_url
from tests.config.web.test_front import environ
from tests.usage.api.test_fast_path import VERIFY

PATIENCE_SECONDS = 30
SEVERAL: list[dict[str, Any]] = [{}, {"key": "sk_live_x"}, {"permission": "a:b"}, {"quantity": 10**9}]
CODES = ["VALID", "NOT_FOUND", "INSUFFICIENT_PERMISSIONS", "INSUFFICIENT_CREDITS"]
Ask = Callable[..., Coroutine[Any, Any, Answer | None]]


@pytest.fixture
def ask(customer: Organization) -> Ask:
    platform, (_, key) = factories.platform_key(), factories.key(customer)
    ApiKey.objects.update(last_used_at=timezone.now())

    async def at_once(front: Front, seconds: float = PATIENCE_SECONDS, **members: Any) -> Answer | None:
        headers = {"host": "testserver", "authorization": f"Bearer {platform}"}
        body = json.dumps({"key": key, "meter": "sms", **members}).encode()
        until = asyncio.get_running_loop().time() + seconds
        return await front.at_once(environ("POST", VERIFY, headers, body), until)

    return at_once


async def opened(front: Front) -> Line:
    """The front's connection, once there is one."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (line := front.lines.free(shared=True)) is None:
            await asyncio.sleep(0.01)
    return line


def status(answer: Answer | None) -> int:
    assert answer is not None
    return answer.status


def other(name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database_url(name))


@contextmanager
def locked_accounts(database: str) -> Iterator[None]:
    """Whatever holds credits waits for the end of the block."""
    with other(database) as own:
        own.execute("SELECT FROM billing_ledgeraccount FOR UPDATE")
        yield


@asynccontextmanager
async def trickling() -> AsyncIterator[int]:
    """The port of a proxy before PostgreSQL that hands over its answers byte by byte."""

    params = connection.get_connection_params()
    host, port = params["host"], params.get("port", 5432)

    async def serve(client: StreamReader, to_client: StreamWriter) -> None:
        is_local = host.startswith("/")
        connecting = open_unix_connection(f"{host}/.s.PGSQL.{port}") if is_local else open_connection(host, port)
        server, to_server = await connecting
        sending = asyncio.create_task(forward(client, to_server, 1 << 16))
        await forward(server, to_client, 1)
        await sending

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]


async def forward(reader: StreamReader, writer: StreamWriter, size: int) -> None:
    while part := await reader.read(size):
        writer.write(part)
        await asyncio.sleep(0)  # for the other side to read it
    writer.close()


def test_what_can_not_be_asked_at_once_is_left_until_there_is_a_connection(ask: Ask) -> None:
    async def main() -> None:
        front = Front(lines=1)
        assert await ask(front) is None
        await opened(front)
        for members in ({}, {"hold_seconds": 60}, {"permission": "a:b"}):
            assert status(await ask(front, **members)) == 200
        assert front.lines.number == 1

    asyncio.run(main())


def test_a_connection_that_the_server_ends_is_replaced(ask: Ask, second_database: str) -> None:
    async def main() -> None:
        front = Front(lines=1)
        line = await opened(front)
        assert status(await ask(front)) == 200
        with other(second_database) as own:
            own.execute("SELECT pg_terminate_backend(%s, 10000)", [line.opened.info.backend_pid])
        assert await ask(front) is None
        assert await opened(front) is not line
        assert status(await ask(front)) == 200

    asyncio.run(main())


def test_one_that_ends_under_a_statement_is_a_503(ask: Ask, customer: Organization, second_database: str) -> None:
    async def main() -> None:
        front = Front(lines=1)
        line = await opened(front)
        with locked_accounts(second_database):
            waiting = asyncio.create_task(ask(front, hold_seconds=60))
            await asyncio.sleep(0)
            assert front.lines.free(shared=True) is None
            with other(second_database) as third:
                third.execute("SELECT pg_terminate_backend(%s)", [line.opened.info.backend_pid])
            answer = await waiting
        assert status(answer) == 503
        assert front.lines.number == 0

    asyncio.run(main())


def test_a_statement_that_waits_too_long_is_given_up(ask: Ask, customer: Organization, second_database: str) -> None:
    """It goes on by itself, as one of a thread does."""

    async def main() -> None:
        front = Front(lines=1)
        line = await opened(front)
        with locked_accounts(second_database):
            with pytest.raises(TimeoutError):
                await ask(front, 0.2, hold_seconds=60)
            assert front.lines.free(shared=True) is None
            assert not line.is_closed
        assert await opened(front) is not line
        assert line.is_closed

    asyncio.run(main())


def test_without_a_database_the_threads_have_to_say_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")

    async def main() -> None:
        front = Front(lines=1)
        assert front.lines.free(shared=True) is None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while front.lines.number:
                await asyncio.sleep(0.01)
        assert await ask(front) is None
        assert front.lines.number == 0

    asyncio.run(main())


def test_an_answer_that_comes_byte_by_byte(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        front = Front(lines=1)
        async with trickling() as port:
            monkeypatch.setitem(settings.DATABASES["default"], "HOST", "127.0.0.1")
            monkeypatch.setitem(settings.DATABASES["default"], "PORT", str(port))
            line = await opened(front)
            reads = 0

            def counted() -> None:
                nonlocal reads
                reads += 1
                line._read()

            line.loop.add_reader(line.file, counted)
            answers = await asyncio.gather(*[ask(front, **members) for members in SEVERAL])
            assert [json.loads(answer.body)["code"] for answer in answers if answer] == CODES
            assert reads > sum(len(answer.body) for answer in answers if answer)
            line.close()

    asyncio.run(main())


def test_statements_that_read_share_a_connection(ask: Ask) -> None:
    async def main() -> None:
        front = Front(lines=1)
        await opened(front)
        answers = await asyncio.gather(*[ask(front, **members) for members in SEVERAL * 2])
        assert [json.loads(answer.body)["code"] for answer in answers if answer] == CODES * 2
        full = await asyncio.gather(*[ask(front) for _ in range(SHARED_BY + 2)])
        assert full[SHARED_BY:] == [None, None]
        assert None not in full[:SHARED_BY]

    asyncio.run(main())


def test_nothing_waits_behind_a_statement_that_holds(ask: Ask, second_database: str) -> None:
    async def main() -> None:
        front = Front(lines=2)
        first = await opened(front)
        with locked_accounts(second_database):
            holding = asyncio.create_task(ask(front, hold_seconds=60))
            await asyncio.sleep(0)
            assert await opened(front) is not first
            assert status(await ask(front)) == 200
            reading = asyncio.create_task(ask(front))
            await asyncio.sleep(0)
            assert front.lines.free(shared=False) is None
            assert status(await reading) == 200
            assert not holding.done()
        assert status(await holding) == 200

    asyncio.run(main())


def test_a_statement_that_fails_undoes_those_after_it_in_its_transaction(ask: Ask) -> None:
    """They are for a thread, then. The connection takes no more, and ends when those behind it are answered."""

    async def main() -> None:
        front = Front(lines=1)
        line = await opened(front)
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        statements = ["SELECT 1", "SELECT 1 / %(zero)s::int", "no SQL", "SELECT 2"]
        running = [asyncio.create_task(line.run(each, {"zero": 0}, until, shared=True)) for each in statements]
        await asyncio.sleep(0)  # they are sent
        behind = asyncio.create_task(line.run("SELECT 3", {}, until, shared=True))
        unprepared = asyncio.create_task(line.run("SELECT 2", {}, until, shared=True))
        first, failed, *undone = await asyncio.gather(*running, return_exceptions=True)
        assert first == [(1,)]
        assert isinstance(failed, DataError)
        assert undone == [None, None]
        assert await behind == [(3,)]
        assert await unprepared is None
        assert line.is_closed
        assert await opened(front) is not line

    asyncio.run(main())
