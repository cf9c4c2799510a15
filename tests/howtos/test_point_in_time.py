"""A database is recovered to the moment between two grants, by the commands of docs/operations.md, word for word.

The server is a new cluster, since only an archive that is there from the first base backup on is complete.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from config.local.watchdog import POSTGRES, Watchdog
from tests.howtos import documents
from tests.howtos.conftest import environment, needs_time
from tests.howtos.documents import Block

# For what a reader puts in, and for systemd.
VALUES = """
CONFIGURATION={folder}/configuration BACKUPS={folder}/backups COPY={folder}/copy COPY_URL='{url}&port=5433'
as_postgres() {{ {as_owner} env PATH={programs}:$PATH "$@"; }}
manage() {{ {python} {tollgate}/manage.py "$@"; }}
systemctl() {{ as_postgres pg_ctl restart --silent --wait --pgdata {folder}/configuration --log {folder}/log; }}
as_postgres mkdir $BACKUPS
"""
SERVER = """
as_postgres initdb --pgdata {folder}/data --username tollgate --auth trust --locale C > /dev/null
as_postgres mkdir {folder}/configuration  # apart from the data, as on Debian
as_postgres mv {folder}/data/{{postgresql,pg_hba,pg_ident}}.conf {folder}/configuration
as_postgres tee --append {folder}/configuration/postgresql.conf > /dev/null <<END
data_directory = '{folder}/data'
hba_file = '{folder}/configuration/pg_hba.conf'
ident_file = '{folder}/configuration/pg_ident.conf'
external_pid_file = '{folder}/pid'
unix_socket_directories = '{folder}'
listen_addresses = ''
END
as_postgres pg_ctl start --silent --wait --pgdata {folder}/configuration --log {folder}/log
as_postgres createdb tollgate
manage migrate -v 0
"""
BEFORE = """
manage shell -v 0 -c "
from tests import factories
own = factories.user('recovered').current_organization
factories.card(own)
factories.credit(own, 10)"
"""
AFTER = """
sleep 1
MOMENT=$(as_postgres psql -qAtc 'SELECT now()')
sleep 1
manage shell -v 0 -c "
from accounts.models import User
from tests import factories
factories.credit(User.objects.get(email__startswith='recovered').current_organization, 7)"
"""
BUY = """
manage shell -v 0 -c "
from django.db.models import Sum
from django.test.utils import setup_test_environment
from accounts import tokens
from accounts.models import User
from billing.models import LedgerEntry, SandboxObject
from tests.conftest import Api
setup_test_environment()
owner = User.objects.get(email__startswith='recovered')
own, charges = owner.current_organization, SandboxObject.objects.filter(kind='intent')
answer = Api(tokens.issue(owner, own).access).post('/v1/credits/purchases', {'amount': '5'})
balance = LedgerEntry.objects.filter(account=own.pk).aggregate(sum=Sum('amount'))['sum']
print(answer.json()['status'], 'balance', int(balance), 'charges', charges.count())"
"""
TIDY_UP = """
as_postgres pg_ctl stop --silent --pgdata $COPY
as_postgres sed -i /^recovery_target/d $COPY/postgresql.auto.conf
OPTIONS="-c data_directory=$COPY -c external_pid_file="
as_postgres pg_ctl start --silent --wait --pgdata $CONFIGURATION --log $COPY/log -o "$OPTIONS"
as_postgres psql --port 5433 -qAtc "SELECT current_setting('recovery_target_time')"
"""
COPIED, ADOPTED = "pending balance 10 charges 0\n", "succeeded balance 15 charges 1\n"


@pytest.fixture
def keeper() -> Iterator[Watchdog]:
    """Says who may run PostgreSQL here, which refuses root, and by which programs."""
    folder = Path(tempfile.mkdtemp(prefix="tollgate-recovery-"))  # pytest's own folders are closed to other users
    keeper = Watchdog(POSTGRES, folder)
    if keeper.uid is not None and keeper.gid is not None:
        os.chown(folder, keeper.uid, keeper.gid)
    yield keeper
    for data in ("data", "copy"):
        stop = [*as_owner(keeper), str(keeper.binary.with_name("pg_ctl")), "stop", "--mode=immediate", "--pgdata"]
        subprocess.run([*stop, str(folder / data)], cwd=folder, capture_output=True, check=False)
    with suppress(OSError):
        shutil.rmtree(folder)


def as_owner(keeper: Watchdog) -> list[str]:
    return [] if keeper.uid is None else ["setpriv", f"--reuid={keeper.uid}", f"--regid={keeper.gid}", "--clear-groups"]


@needs_time
def test_a_database_is_recovered_to_a_moment_and_is_a_copy(keeper: Watchdog) -> None:
    values = {
        "folder": keeper.folder,
        "programs": keeper.binary.parent,
        "python": sys.executable,
        "tollgate": settings.BASE_DIR,
        "as_owner": " ".join(as_owner(keeper)),
        "url": f"postgres://tollgate@/tollgate?host={keeper.folder}",
    }
    page = documents.blocks(settings.BASE_DIR / "docs/operations.md", after="### To a point in time")
    _, archive, back_up, _, switch, recover, prove, remove = page
    ours = [Block(text.format(**values), "") for text in (VALUES, SERVER)]
    ours += [archive, Block(BEFORE, ""), back_up, Block(AFTER, ""), switch, recover, prove, Block(BUY, "")]
    ours += [Block(TIDY_UP, ""), Block(BUY, "")]
    ours += [Block("manage adopt --yes\n", ""), Block(BUY, ""), Block("manage check_ledger\n", ""), remove]
    server = {"PGHOST": str(keeper.folder), "PGUSER": "tollgate", "PGDATABASE": "tollgate"}
    database = {"DATABASE_URL": f"{values['url']}&port=5432", "REDIS_URL": settings.REDIS_URL}
    printed = documents.run(ours, folder=keeper.folder, environment={**environment(), **server, **database})
    assert "0 differences" in printed[8]
    assert "FAIL  copy: This database is a copy" in printed[8]
    assert printed[9] == COPIED
    assert printed[10:12] == ["\n", COPIED]
    assert printed[13] == ADOPTED
    assert "0 differences" in printed[14]
