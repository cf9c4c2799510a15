"""Usage events a second through HTTP, durably: `.venv/bin/python benchmarks/events.py`.

It starts what it needs, apart from all else: PostgreSQL (fsync on) and Valkey out of their wheels in
`.tollgate/benchmark`, and gunicorn as `make run` starts it. Two clients send to it over connections that they keep:
batches of 1,000 events for several payers, then events one by one. It prints what came of it, proves the books with
`check_ledger`'s checks, and stops all that it started. The clients share the machine with what they measure.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

sys.path.insert(0, str(ROOT))
os.environ["TOLLGATE_STATE_DIR"] = str(ROOT / ".tollgate" / "benchmark")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
for variable in ("DATABASE_URL", "REDIS_URL", "TOLLGATE_ENV", "TOLLGATE_POSTGRES_OPTIONS"):
    os.environ.pop(variable, None)  # nobody's real data, and fsync on


class Client:
    """One connection, kept, with a platform key."""

    numbers = count(1)

    def __init__(self, port: int, secret: str) -> None:
        self.connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def send(self, body: bytes) -> float:
        """The seconds that the answer took; every event must have been accepted."""
        start = time.perf_counter()
        self.connection.request("POST", "/v1/usage/events", body, self.headers)
        answer = self.connection.getresponse().read()
        took = time.perf_counter() - start
        assert b'"duplicate": 0, "rejected": 0' in answer, answer[:500]
        return took


def batch(size: int, keys: list[str]) -> bytes:
    """New events, for the payers in turn."""
    return json.dumps({"events": [event(keys[n % len(keys)]) for n in range(size)]}).encode()


def event(key: str) -> dict[str, object]:
    number = next(Client.numbers)
    about = {"key_id": key, "meter": "requests", "endpoint": f"/v1/things/{number % 20}", "status": 200}
    return {"id": f"{time.time_ns()}-{number}", **about}


def measure(title: str, clients: list[Client], keys: list[str], *, size: int, requests: int) -> None:
    """Send so many requests, shared among the clients; print events a second and the time of a request."""
    bodies = [[batch(size, keys) for _ in range(requests // len(clients))] for _ in clients]
    start = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        runs = pool.map(lambda client, own: [client.send(body) for body in own], clients, bodies)
        times = sorted(took for run in runs for took in run)
    rate = len(times) * size / (time.perf_counter() - start)
    middle, slowest = (1000 * seconds for seconds in (median(times), times[int(len(times) * 0.99)]))
    say(f"{title:35} {rate:9,.0f} events/s   median {middle:6.1f} ms   p99 {slowest:6.1f} ms")


def prepare(payers: int) -> tuple[str, list[str]]:
    """Migrate, and make payers with 1,000,000 credits and a key each; a platform key's secret, and the keys' ids."""
    import django

    django.setup()
    from decimal import Decimal

    from django.core.management import call_command

    from accounts.models import Organization
    from apikeys import keys
    from billing import ledger
    from billing.models import LedgerEntry

    call_command("migrate", verbosity=0)
    made = []
    for n in range(payers):
        organization = Organization.objects.create_root(name=f"Payer {n}")
        ledger.post(organization.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(1_000_000))
        made.append(keys.create(organization, name="Benchmark")[0].public_id)
    return keys.create_platform("benchmark")[1], made


def serve(port: int, workers: int) -> subprocess.Popen[bytes]:
    web = ("--bind", f"{HOST}:{port}", "--worker-class", "gthread", "--workers", str(workers), "--threads", "4")
    more = ("--no-control-socket", "--log-level", "warning")
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", *web, *more]
    server = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 (our own program)
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return server
        time.sleep(0.1)
    server.terminate()
    raise SystemExit("gunicorn does not answer.")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--payers", type=int, default=10)
    parser.add_argument("--batches", type=int, default=50, help="of 1,000 events")
    parser.add_argument("--singles", type=int, default=1000, help="requests of one event")
    options = parser.parse_args()

    from config import embedded

    embedded.attach()
    secret, keys = prepare(options.payers)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    server = serve(port, options.workers)
    try:
        clients = [Client(port, secret) for _ in range(options.clients)]
        measure("warming up", clients, keys, size=100, requests=8 * options.clients)
        for owners in (keys, keys[:1]):
            payers = f"{len(owners)} payers" if len(owners) > 1 else "1 payer"
            measure(f"batches of 1,000, {payers}", clients, owners, size=1000, requests=options.batches)
            measure(f"one event a request, {payers}", clients, owners, size=1, requests=options.singles)
    finally:
        server.terminate()
        server.wait()
    from usage import reconciliation

    start = time.perf_counter()
    findings = reconciliation.run()
    say(f"check_ledger: {len(findings)} differences, {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
