"""The memory that the bridge uses, and its refusals when it uses too much."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.web import bridge
from config.web.bridge import Bridge
from config.web.limits import Refusal
from config.web.request import PART_BYTES

Message = dict[str, Any]


class Django:
    """Answers when it may, with the number of bytes that it read."""

    def __init__(self) -> None:
        self.may_answer, self.began, self.calls = Event(), Event(), 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.calls += 1
        self.began.set()
        self.may_answer.wait()
        start_response("200 OK", [])
        return [str(len(environ["wsgi.input"].read())).encode()]


@pytest.fixture
def django() -> Iterator[Django]:
    django = Django()
    yield django
    django.may_answer.set()


def scope() -> Message:
    head = {"method": "POST", "raw_path": b"/v1/nothing", "query_string": b"", "scheme": "http", "http_version": "1.1"}
    return head | {"headers": [(b"x-request-id", b"mine"), (b"transfer-encoding", b"chunked")]}


async def send(to: Bridge, body: bytes = b"", *, ends: bool = True) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    messages = iter([{"type": "http.request", "body": body, "more_body": not ends}])
    sent: list[Message] = []

    async def receive() -> Message:
        for message in messages:
            return message
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def collect(message: Any) -> None:
        sent.append(message)

    await to(scope(), receive, collect)
    return sent[0]["status"], sent[1]["body"]


def test_a_request_whose_time_is_up_leaves_no_body_behind(django: Django, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[weakref.ref[Any]] = []

    class Input(BytesIO):
        def __init__(self, body: bytes) -> None:
            super().__init__(body)
            bodies.append(weakref.ref(self))

    monkeypatch.setattr("config.web.request.BytesIO", Input)
    to = Bridge(django, threads=1, seconds=0.2)

    async def main() -> None:
        first = asyncio.create_task(send(to, b"first"))
        await asyncio.to_thread(django.began.wait)
        answers = await asyncio.gather(first, *(send(to, b"x" * 1000) for _ in range(10)))
        assert {status for status, _ in answers} == {503}

    asyncio.run(main())
    gc.collect()
    assert len(bodies) == 11
    assert sum(body() is not None for body in bodies) == 1  # that of the request that a thread works on
    assert to.held_bytes == 0
    django.may_answer.set()
    while to.pool.jobs.qsize():
        time.sleep(0.01)
    assert django.calls == 1


def test_only_so_many_requests_wait_for_a_thread(django: Django, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "WAITING_LIMIT", 3)
    to = Bridge(django, threads=1, seconds=60)

    async def main() -> None:
        running = asyncio.create_task(send(to))
        await asyncio.to_thread(django.began.wait)
        waiting = [asyncio.create_task(send(to)) for _ in range(3)]
        await asyncio.sleep(0)
        assert (await send(to))[0] == 503
        django.may_answer.set()
        assert {status for status, _ in await asyncio.gather(running, *waiting)} == {200}
        assert (await send(to))[0] == 200

    asyncio.run(main())


def test_stalled_uploads_keep_out_large_bodies_only(django: Django, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "BODIES_LIMIT_BYTES", 100_000)
    django.may_answer.set()
    to = Bridge(django, threads=1, seconds=60)

    async def main() -> None:
        stalled = asyncio.create_task(send(to, b"x" * 100_000, ends=False))
        await asyncio.sleep(0)
        assert await send(to, b"x" * 1000) == (200, b"1000")
        assert (await send(to, b"x" * 70_000))[0] == 503
        stalled.cancel()
        await asyncio.gather(stalled, return_exceptions=True)
        assert await send(to, b"x" * 70_000) == (200, b"70000")

    asyncio.run(main())
    assert to.held_bytes == 0


def too_slow(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bool]:
    monkeypatch.setattr(bridge, "BODY_SECONDS", 0.05)
    return b"x", False


def too_large(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bool]:
    return b"x" * (5 << 20), False


def too_much(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bool]:
    monkeypatch.setattr(bridge, "BODIES_LIMIT_BYTES", 0)
    return b"x" * 100_000, True


@pytest.mark.parametrize(
    ("cause", "status", "code"),
    [(too_slow, 408, "request_timeout"), (too_large, 413, "request_too_large"), (too_much, 503, "unavailable")],
)
def test_a_refusal_of_its_own_is_one_warning(
    django: Django, monkeypatch: pytest.MonkeyPatch, cause: Callable[..., tuple[bytes, bool]], status: int, code: str
) -> None:
    body, ends = cause(monkeypatch)
    with capture_logs() as lines:
        assert asyncio.run(send(Bridge(django, threads=1, seconds=60), body, ends=ends))[0] == status
    expected = {"event": "refused", "log_level": "warning", "status": status, "problem": code, "request_id": "mine"}
    assert lines == [expected]


class Long:
    """An answer of five parts. Notes which were read, and whether it was closed."""

    def __init__(self) -> None:
        self.read, self.is_closed, self.may_go_on = 0, Event(), Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> "Long":
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for number in range(5):
            if number == 4:
                self.may_go_on.wait()
            self.read = number + 1
            yield b"%d" % number * PART_BYTES

    def close(self) -> None:
        self.is_closed.set()


async def download(long: Long, take: Callable[[bytes], Any], seconds: float = 60) -> None:
    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            take(message["body"])

    to = Bridge(long, threads=2, seconds=seconds)
    await to({**scope(), "headers": []}, asyncio.Event().wait, send)  # type: ignore[arg-type]


def test_a_long_answer_is_read_as_the_client_takes_it() -> None:
    long, taken = Long(), bytearray()
    long.may_go_on.set()

    def take(part: bytes) -> None:
        taken.extend(part)
        assert long.read <= len(taken) // PART_BYTES

    asyncio.run(download(long, take))
    assert taken == b"".join(b"%d" % number * PART_BYTES for number in range(5))
    assert long.is_closed.wait(5)


def test_a_long_answer_ends_where_the_client_hangs_up() -> None:
    long = Long()

    def take(part: bytes) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(download(long, take))
    assert long.is_closed.wait(5)
    assert long.read == 1


def test_a_long_answer_is_closed_even_if_too_many_requests_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Long()
    with pytest.raises(Refusal):
        asyncio.run(download(long, lambda part: monkeypatch.setattr(bridge, "WAITING_LIMIT", 0)))
    assert long.is_closed.wait(5)
    assert long.read == 1


def test_a_part_that_is_not_there_in_time_ends_the_answer() -> None:
    long = Long()
    with pytest.raises(Refusal):
        asyncio.run(download(long, lambda part: None, seconds=0.5))
    assert long.is_closed.wait(5)
    long.may_go_on.set()
