"""A long answer is sent in parts, each of them once the client has taken the one before."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from django.utils import timezone

from billing.models import FinancePackage, FinancePackagePart
from tests import factories
from tests.config.web.conftest import Server, request, status
from tests.config.web.test_server import LARGE, LARGE_BYTES, without_room

PARTS, PART = 40, 1 << 20
STALLED = 9  # more than there are threads
MOST_GROWTH = STALLED * PARTS * PART // 2  # bytes of memory


@pytest.fixture
def path(committed: None) -> str:
    content = os.urandom(PART)
    sha256 = hashlib.sha256(content * PARTS).digest()
    package = FinancePackage.objects.create(
        month=date(2020, 1, 1), made_at=timezone.now(), size=PARTS * PART, sha256=sha256
    )
    FinancePackagePart.objects.bulk_create(
        [FinancePackagePart(package=package, number=number, content=content) for number in range(PARTS)], batch_size=4
    )
    return f"/v1/finance-packages/{package}/download"


def memory(server: Server) -> int:
    """Of the workers, in bytes."""
    pages = [int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in server.workers()]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_package_takes_little_memory_and_no_thread_while_it_is_sent(server: Server, path: str) -> None:
    key = factories.backend_key()
    ask = request("GET", path, f"Authorization: Bearer {key}")
    assert status(server.get("/readyz")) == 200
    before = memory(server)
    with ExitStack() as stack:
        for _ in range(STALLED):
            stack.enter_context(without_room(server)).sendall(ask)
        content = b"".join(download(server, ask))
        assert memory(server) - before < MOST_GROWTH
    assert hashlib.sha256(content).digest() == bytes(FinancePackage.objects.get(month=date(2020, 1, 1)).sha256)


def download(server: Server, ask: bytes) -> Iterator[bytes]:
    with server.connect() as client, client.makefile("rb") as answer:
        client.sendall(ask)
        while answer.readline() != b"\r\n":  # the head
            pass
        for _ in range(PARTS):
            yield answer.read(PART)


def test_a_client_that_sends_and_does_not_read_piles_up_no_answers(server: Server) -> None:
    for _ in range(4):
        server.get(LARGE)
    before = memory(server)
    with without_room(server) as client:
        client.sendall(request("GET", LARGE) * 30)
        for _ in range(20):
            server.get(LARGE)
        assert memory(server) - before < 15 * LARGE_BYTES
