"""Response times of the dashboard's pages with 10,000,000 events and 1,000 keys, beside the same pages without data."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter

from benchmarks import load, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import server
from benchmarks.rows.reading import filled

KEYS = 1000
ASKED = 20  # requests per round and side
BOUND = 1.5


def paths() -> dict[str, str]:
    return {
        "the overview": "",
        "the usage of last month by endpoint": "usage/?range=last-month&by=endpoint",
        "the ledger": "credits/ledger/",
        "the credits": "credits/",
        "the keys": "keys/",
        "the search": "search/?q=no-such-id",
    }


def measure(cast: Cast, options: Options) -> Iterator[Row]:
    database = filled(cast, options.events)
    command = [sys.executable, "-m", __name__, cast.reader["organization"]]
    done = subprocess.run(  # noqa: S603 (our own program)
        command, cwd=stage.ROOT, env=stage.environment(database), stdout=subprocess.PIPE, check=True, timeout=300
    )
    visit = json.loads(done.stdout)
    with server(database) as port:
        for what, path in paths().items():
            yield _measure(what, path, visit, port, options)


def _measure(what: str, path: str, visit: dict[str, str], port: int, options: Options) -> Row:
    """Milliseconds per page, taken in turns."""
    with ExitStack() as stack:
        (connection,) = stack.enter_context(load.connections(port, 1))

        def ask(organization: str) -> float:
            address = f"/o/{organization}/{path}"
            data = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={visit['session']}\r\n\r\n"
            began = perf_counter()
            body = connection.ask(data.encode())
            took = perf_counter() - began
            if b"<h1>" not in body:
                raise RuntimeError(f"{address}: {body[:300]!r}")
            return 1000 * took

        pair = compare(lambda: ask(visit["full"]), lambda: ask(visit["empty"]), options.rounds, times=ASKED)
    what = f"the page of {what}, at {options.events:,} events and {KEYS:,} keys"
    return Row(what, "without data", BOUND, at_most=True, unit="ms", **pair.columns)


def visit(organization: str) -> dict[str, str]:
    """Give the organization its keys, its owner an empty one beside it, and a session."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from accounts.models import Membership, Organization
    from apikeys import keys

    full = Organization.objects.get(pk=organization)
    owner = Membership.objects.get(organization=full, role="owner").user
    for number in range(KEYS):
        keys.create(full, name=f"Key {number}", created_by=owner)
    empty = Organization.objects.create_root(name="Empty")
    Membership.objects.create(user=owner, organization=empty, role="owner")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(owner.pk), owner.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    return {"full": full.public_id, "empty": empty.public_id, "session": session.session_key}


def main() -> None:
    import django

    django.setup()
    stage.say(json.dumps(visit(sys.argv[1])))


if __name__ == "__main__":
    main()
