"""Finds events that were already recorded. Call it under the payers' lock, or the answer may be stale."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.lib import distribution, sql
from usage.metering.insert import Identity, RatedEvent

WINDOW = timedelta(days=35)

# A plan that was kept from when a leaf was small, as at the start of a month, would read whole leaves later on. So we
# have this statement planned anew each time, which takes a third of a millisecond.
PLANNED_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"

# A leaf that was never analyzed, as in the first minute of a month, lets the planner believe that a payer has one row.
# Then the index by time looks cheaper than walking through the unique one for each id, and a batch reads all of the
# payer's rows. If nothing costs anything but rows, the unique index is never dearer, with statistics or without.
COSTS = ("random_page_cost", "seq_page_cost", "cpu_operator_cost", "cpu_index_tuple_cost")
ROWS_ALONE_COST = [f"SET LOCAL {name} = 0" for name in COSTS]
COSTS_AS_BEFORE = [f"SET LOCAL {name} TO DEFAULT" for name in COSTS]

# Walks through each leaf's unique index once for all ids of an organization: looking for each id by itself takes six
# times as long. OFFSET 0 keeps the planner from joining in another order, in which it may read whole leaves.
IDENTITIES = """
SELECT sent.organization, recorded.id
  FROM json_to_recordset(%(sent)s::json) AS sent(account uuid, organization uuid, ids text[])
 CROSS JOIN LATERAL (
       SELECT id FROM usage_event
        WHERE account_id = {account} AND organization_id = sent.organization AND id = ANY(sent.ids)
          AND recorded_at >= %(window)s
       OFFSET 0) recorded
"""
KNOWN = sql.compose(IDENTITIES, account="sent.account")
KNOWN_OF_ONE = sql.compose(IDENTITIES, account="%(account)s::uuid")


def known(events: Iterable[RatedEvent], now: datetime) -> set[Identity]:
    """The identities that arrived within the window before `now`, or after it by another server's clock."""
    sql.require_transaction()
    ids: defaultdict[tuple[UUID, str], list[str]] = defaultdict(list)
    for event in events:
        owner = event.terms.owner
        ids[owner.account, owner.tenant].append(event.record.id)
    sent = [{"account": account.hex, "organization": tenant, "ids": ids[account, tenant]} for account, tenant in ids]
    rows = _known_of_each(sent, now) if distribution.is_distributed() else _known(sent, now)
    return {(organization.hex, id) for organization, id in rows}


def _known_of_each(sent: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[tuple[UUID, str]]:
    """Each organization is looked up on its payer's machine, whose settings we can't change."""
    for ids in sent:
        parameters = {"sent": json.dumps([ids]), "account": ids["account"], "window": now - WINDOW}
        yield from sql.rows(KNOWN_OF_ONE, parameters)


def _known(sent: Sequence[Mapping[str, Any]], now: datetime) -> list[tuple[Any, ...]]:
    parameters = {"sent": json.dumps(sent), "window": now - WINDOW}
    before, after = (PLANNED_ANEW, *ROWS_ALONE_COST), COSTS_AS_BEFORE
    steps: list[tuple[str, Mapping[str, Any]]] = [(statement, {}) for statement in before]
    steps += [(KNOWN, parameters), *((statement, {}) for statement in after)]
    return sql.in_one_trip(*steps)[len(before)]
