"""Whether the hot tables are distributed over several machines by Citus, as `manage.py distribute` leaves them.

Citus sends a statement whole to the machine of a payer if it names the payer as one value (`= $1`), and refuses some
that name several. So where this is true, a batch is worked payer by payer.
"""

from django.db import DEFAULT_DB_ALIAS, connections

from accounts.lib import sql

HAS_CITUS = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
IS_KNOWN = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'billing_ledgeraccount'::regclass)"

_answers: dict[str, bool] = {}


def is_distributed() -> bool:
    """Asked once a process and database: a process that runs while the tables are distributed has to be restarted."""
    name = connections.settings[DEFAULT_DB_ALIAS]["NAME"]
    answer = _answers.get(name)
    if answer is None:
        [(has_citus,)] = sql.rows(HAS_CITUS, {})
        answer = _answers[name] = has_citus and bool(sql.rows(IS_KNOWN, {})[0][0])
    return answer


def forget() -> None:
    """Ask again: the tables were just distributed."""
    _answers.clear()
