"""The event loop's own connections: they end and come back, and a statement that waits holds up nobody."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from config.web.front import Front
from config.web.lines import Line
from config.web.request import Answer
from tests import factories
from tests.config.web.conftest import database_url
from tests.config.web.test_front import environ
from tests.usage.api.test_fast_path import VERIFY

PATIENCE_SECONDS = 30
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
        while (line := front.lines.free()) is None:
            await asyncio.sleep(0.01)
    return line


def status(answer: Answer | None) -> int:
    assert answer is not None
    return answer.status


def other(name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database_url(name))


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
        with other(second_database) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", [line.opened.info.backend_pid])
        assert await ask(front) is None
        assert await opened(front) is not line
        assert status(await ask(front)) == 200

    asyncio.run(main())


def test_one_that_ends_under_a_statement_is_a_503(ask: Ask, customer: Organization, second_database: str) -> None:
    async def main() -> None:
        front = Front(lines=1)
        line = await opened(front)
        with other(second_database) as connection:
            connection.execute("SELECT FROM billing_ledgeraccount FOR UPDATE")
            waiting = asyncio.create_task(ask(front, hold_seconds=60))
            await asyncio.sleep(0)
            assert front.lines.free() is None
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
        with other(second_database) as connection:
            connection.execute("SELECT FROM billing_ledgeraccount FOR UPDATE")
            with pytest.raises(TimeoutError):
                await ask(front, 0.2, hold_seconds=60)
            assert front.lines.free() is None
            assert not line.is_closed
        assert await opened(front) is not line
        assert line.is_closed

    asyncio.run(main())


def test_without_a_database_the_threads_have_to_say_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")

    async def main() -> None:
        front = Front(lines=1)
        assert front.lines.free() is None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while front.lines.number:
                await asyncio.sleep(0.01)
        assert await ask(front) is None
        assert front.lines.number == 0

    asyncio.run(main())
