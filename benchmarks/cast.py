"""The data that every row starts from. `python -m benchmarks.cast` fills a database once a run; rows get clones of it.

There are 1,000 payers with credits and one key each. One of them is the reader, whose key may read its own usage.
Payers' ids can be computed from a number, so pgbench can name them.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from benchmarks import filling, stage

PAYERS = 1000
CREDITS = Decimal(1_000_000_000)
PERMISSION = "messaging:send"


@dataclass(frozen=True)
class Cast:
    platform: str  # the platform key's secret
    keys: list[str]  # the payers' public key ids, in order
    secrets: list[str]
    reader: dict[str, str]  # the reader's organization, key and secret


def payer(number: int) -> UUID:
    """The organization of payer 1 to PAYERS."""
    return UUID(f"00000000-0000-7000-8000-{number:012d}")


def load() -> Cast:
    """Make the database and fill it in a child process, since PostgreSQL can't clone a database that we have open."""
    with stage.connect("postgres") as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{stage.CAST}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{stage.CAST}"')
    command = [sys.executable, "-m", "benchmarks.cast"]
    done = subprocess.run(  # noqa: S603 (our own program)
        command, cwd=stage.ROOT, env=stage.environment(stage.CAST), stdout=subprocess.PIPE, check=True, timeout=300
    )
    return Cast(**json.loads(done.stdout))


def make() -> Cast:
    from django.db import connection

    from accounts import people
    from accounts.models import User
    from apikeys import keys
    from benchmarks import bare

    with connection.cursor() as cursor:
        cursor.execute(bare.TABLES)
    payers = [_payer(number) for number in range(1, PAYERS + 1)]
    secrets = [secret for _, secret in payers]
    with connection.cursor() as cursor:
        rows = [(secret, "active") for secret in secrets]
        cursor.executemany("INSERT INTO bench_key VALUES (%s, 'Benchmark', %s, now())", rows)
    person = User(email="reader@example.com", name="Reader")
    person.set_unusable_password()
    organization = people.sign_up(person)
    scopes = ["usage:read", "credits:read", "billing:read", "account:read"]
    key, secret = keys.create(organization, name="Reader", created_by=person, permissions=scopes)
    reader = {"organization": str(organization.pk), "key": str(key.pk), "secret": secret}
    platform = keys.create_platform("benchmark")[1]
    return Cast(platform, [key for key, _ in payers], secrets, reader)


def _payer(number: int) -> tuple[str, str]:
    """Make a root organization with credits. Returns its key's public id and secret."""
    from accounts.lib import identifiers
    from accounts.models import Organization
    from apikeys import keys
    from billing.ledger import posting
    from billing.models import LedgerEntry

    pk = payer(number)
    organization = Organization(
        pk=pk, name=f"Payer {number}", auth_id=identifiers.auth_id(root=True), root_id=pk, path=[pk]
    )
    organization.save(force_insert=True)
    posting.post(organization.pk, kind=LedgerEntry.Kind.GRANT, amount=CREDITS, now=timezone.now())
    key, secret = keys.create(organization, name="Benchmark", permissions=[PERMISSION])
    return key.public_id, secret


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from usage.storage import partitions

    call_command("migrate", verbosity=0)
    partitions.ensure(filling.month(datetime.now(UTC))[0])
    stage.say(json.dumps(asdict(make())))


if __name__ == "__main__":
    main()
