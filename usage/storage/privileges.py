"""The database role of the application: it writes rows, but doesn't own the tables, nor change what is append-only.

So an attacker with the application's connection can't rewrite history, and can't drop the triggers either, because only
a table's owner can. Tables are changed on their owner's connection.
"""

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.sql import Identifier

from accounts.lib import sql

APPEND_ONLY = (
    "accounts_event, accounts_publishedevent, billing_ledgerentry, billing_ledgerseal, billing_invoice,"
    " billing_invoiceline, billing_invoicedocument, usage_event, usage_eventvoid, usage_monthlyusage,"
    " usage_importedusage"
)

GRANTS = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    f"REVOKE UPDATE, DELETE ON {APPEND_ONLY} FROM {{role}}",
    "REVOKE UPDATE ON accounts_personaldata FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
)
REVOKE = "REVOKE ALL ON {table} FROM {role}"

# Events are read and written through the partitioned table, which needs no right on its partitions.
PARTITIONS = """
SELECT relid::regclass::text FROM unnest('{accounts_event,usage_event}'::regclass[]) AS t, pg_partition_tree(t)
 WHERE isleaf ORDER BY 1
"""

# Who may sign in and write entries, but for superusers and the owner: the application's roles.
ROLES = """
SELECT r.oid, r.rolname::text FROM pg_roles r JOIN pg_class t ON t.oid = 'billing_ledgerentry'::regclass
 WHERE r.rolcanlogin AND NOT r.rolsuper AND r.oid <> t.relowner AND has_table_privilege(r.oid, t.oid, 'INSERT')
 ORDER BY 2
"""

# The privileges on append-only tables that a role has, but shouldn't have.
EXCESS = """
SELECT r.rolname::text, t.oid::regclass::text, string_agg(privilege, ', ' ORDER BY privilege)
  FROM pg_roles r
 CROSS JOIN (SELECT unnest(string_to_array(%(append_only)s, ', '))::regclass AS oid
              UNION SELECT relid FROM pg_partition_tree('accounts_event')
              UNION SELECT relid FROM pg_partition_tree('usage_event')) t
 CROSS JOIN unnest(ARRAY['DELETE', 'TRUNCATE', 'UPDATE']) AS privilege
  JOIN pg_class c ON c.oid = t.oid
 WHERE r.oid = ANY(%(roles)s::oid[])
   AND (has_table_privilege(r.oid, t.oid, privilege) OR pg_has_role(r.oid, c.relowner, 'MEMBER'))
 GROUP BY 1, 2 ORDER BY 1, 2
"""


def owner() -> str:
    """The alias of the connection on which tables are changed: that of their owner, if it is another role than ours."""
    return "owner" if "owner" in connections.databases else "default"


def cursor() -> CursorWrapper:
    """A cursor on that connection."""
    opened: CursorWrapper = connections[owner()].cursor()
    return opened


def grant(role: str) -> list[str]:
    """Give a role what the application needs and no more; returns the statements. For the owner, after migrations."""
    name = Identifier(role)
    with transaction.atomic(owner()), cursor() as owners:
        owners.execute(PARTITIONS)
        statements = [sql.compose(statement, role=name) for statement in GRANTS]
        statements += [sql.compose(REVOKE, table=table, role=name) for (table,) in owners.fetchall()]
        for statement in statements:
            owners.execute(statement)
    return statements


def warnings() -> list[str]:
    """What only the triggers prevent, in sentences; empty if the application's roles can only append."""
    roles = dict(sql.rows(ROLES, {}))
    if not roles:
        return ["The application signs in to the database as the owner of its tables."]
    excess = sql.rows(EXCESS, {"append_only": APPEND_ONLY, "roles": list(roles)})
    return [f"The role {role} may {privileges} {table}." for role, table, privileges in excess]
