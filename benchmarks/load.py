"""A cheap HTTP client: raw sockets, requests prepared in advance, and responses that are only scanned for their end.

One process holds all connections, and each has one request in flight. We open connections until every worker of the
server has the same number of them. Otherwise the result would depend on how the load happened to be spread.
"""

import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median, quantiles

from benchmarks import stage
from benchmarks.processes import WORKERS

PATIENCE_SECONDS = 60


def request(method: str, path: str, secret: str = "", body: bytes = b"", headers: Iterable[str] = ()) -> bytes:
    head = [f"{method} {path} HTTP/1.1", f"Host: {stage.HOST}", *headers]
    head += [f"Authorization: Bearer {secret}"] if secret else []
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*head, "", ""]).encode() + body


class Connection:
    """One keep-alive connection that carries one request at a time."""

    def __init__(self, port: int) -> None:
        self.port, self.answer, self.sent = port, b"", 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection((stage.HOST, self.port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.sent, self.answer = time.perf_counter(), b""
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Whether the response is complete now."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError(f"The server closed the connection after {self.answer[:300]!r}")
        self.answer += part
        head = self.answer.find(b"\r\n\r\n")
        if head < 0:
            return False
        start = self.answer.lower().index(b"content-length:") + 15
        return len(self.answer) >= head + 4 + int(self.answer[start : self.answer.index(b"\r", start)])

    def ask(self, data: bytes) -> bytes:
        """The body of the response, which must be a 200. Reconnects if the server closed a connection that was idle."""
        try:
            self._exchange(data)
        except ConnectionError:
            if self.answer:
                raise
            self.close()
            self.open()
            self._exchange(data)
        return self.body()

    def _exchange(self, data: bytes) -> None:
        self.send(data)
        while not self.receive():
            pass

    def body(self) -> bytes:
        if not self.answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"Not a 200: {self.answer[:1000]!r}")
        return self.answer.partition(b"\r\n\r\n")[2]


@contextmanager
def connections(port: int, number: int) -> Iterator[list[Connection]]:
    """Open `number` connections, the same number to each worker."""
    wanted = -(-number // WORKERS)
    chosen: dict[bytes, list[Connection]] = {}
    with ExitStack() as stack:
        for _ in range(100 * number):
            connection = Connection(port)
            stack.callback(connection.close)
            mine = chosen.setdefault(connection.ask(request("GET", "/bench/pid")), [])
            if len(mine) < wanted:
                mine.append(connection)
            if sum(map(len, chosen.values())) == wanted * WORKERS:
                break
        yield [connection for same_worker in chosen.values() for connection in same_worker][:number]


def workers(port: int) -> list[int]:
    """The process ids of the server's workers."""
    with connections(port, WORKERS) as both:
        return sorted({int(connection.ask(request("GET", "/bench/pid"))) for connection in both})


@dataclass
class Outcome:
    """The result of a load: number of responses, elapsed seconds, and processor seconds that this client used."""

    seconds: float = 0
    cpu: float = 0
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    @property
    def median(self) -> float:
        return median(self.times)

    @property
    def tail(self) -> float:
        """The 99th percentile."""
        return quantiles(self.times, n=100)[98]

    @property
    def share(self) -> float:
        """The share of one core that this client used."""
        return self.cpu / self.seconds


def run(open_connections: list[Connection], requests: Iterator[bytes], seconds: float, expect: bytes) -> Outcome:
    """Send `requests` for `seconds` or until they run out. Every response must contain `expect`."""
    outcome, start, cpu = Outcome(), time.perf_counter(), time.process_time()
    with selectors.DefaultSelector() as selector:
        under_way = 0
        for connection, data in zip(open_connections, requests, strict=False):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(data)
            under_way += 1
        while under_way:
            ready = selector.select(PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError("No answer.")
            for selected, _ in ready:
                connection = selected.data
                if connection.receive():
                    outcome.times.append(time.perf_counter() - connection.sent)
                    if expect not in connection.body():
                        raise RuntimeError(f"Not as expected: {connection.answer[:1000]!r}")
                    data = next(requests, b"") if time.perf_counter() - start < seconds else b""
                    if data:
                        connection.send(data)
                    else:
                        under_way -= 1
    outcome.seconds, outcome.cpu = time.perf_counter() - start, time.process_time() - cpu
    return outcome


def forever(requests: list[bytes]) -> Iterator[bytes]:
    return cycle(requests)
