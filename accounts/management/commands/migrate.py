"""Django's `migrate`, made for a database that is in use."""

import gc
import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import DeadlockDetected, LockNotAvailable

# Less than the second after which PostgreSQL looks for a deadlock (deadlock_timeout), and ends whoever it finds: in one
# with a request, the migration gives way before.
LOCK_SECONDS = 0.3
PAUSE_SECONDS = 3.0
PATIENCE_SECONDS = 600
BUSY = (LockNotAvailable, DeadlockDetected)  # somebody else has, or waits for, what we need


class Command(migrate.Command):
    """While a change of a table waits for its lock, so does everybody who needs the table after it.

    So it waits a third of a second at most. Then it lets the others pass and tries again, until ten minutes have passed
    since the last migration that succeeded, or since the first try.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        gc.freeze()  # so that the many models of past states aren't searched together with all that was imported
        applied, deadline = -1, 0.0
        while error := self._try(*args, **options):
            if (count := self._applied(options["database"])) != applied:
                applied, deadline = count, time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() >= deadline:
                raise error
            self.stdout.write(f"Somebody uses a table that has to be changed. Trying again in {PAUSE_SECONDS:g} s.")
            time.sleep(PAUSE_SECONDS)

    def _try(self, *args: Any, **options: Any) -> OperationalError | None:
        """The error if it has to be tried again. What was migrated until then stays."""
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS * 1000:.0f}"])
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if isinstance(error.__cause__, BUSY):
                    return error
                raise
            finally:
                cursor.execute("RESET lock_timeout")
        return None

    def _applied(self, database: str) -> int:
        return len(MigrationRecorder(connections[database]).applied_migrations())
