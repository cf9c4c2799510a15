"""Looks up everything that a batch of events names, in one statement: their owners and their prices."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.lib import distribution, sql
from accounts.lib.money import LARGEST, ZERO
from apikeys.models import ApiKey
from usage.metering import pricing
from usage.metering.parsing import Rejected, UsageRecord
from usage.metering.pricing import Schedule, Tier

LIVE = ApiKey.Environment.LIVE.value
NOT_AHEAD = timedelta(0)

# The keys and organizations that events name, with their payers.
OWNERS = """
owner AS MATERIALIZED (
    SELECT 'key' AS kind, k.public_id AS name, k.id, k.organization_id, o.root_id, k.environment,
           extract(epoch FROM k.last_used_at) AS last_used_at, o.clock_ahead
      FROM apikeys_apikey k JOIN accounts_organization o ON o.id = k.organization_id
     WHERE k.public_id = ANY(%(keys)s::text[])
     UNION ALL
    SELECT 'organization', o.public_id, NULL, o.id, o.root_id, 'live', NULL, o.clock_ahead
      FROM accounts_organization o WHERE o.public_id = ANY(%(organizations)s::text[]))
"""
METERS = """
meter AS MATERIALIZED (
    SELECT m.id, m.slug, p.id AS price_id, coalesce(p.unit_amount, 0) AS unit_amount
      FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id WHERE m.slug = ANY(%(meters)s::text[]))
"""

# One trip for rows of several kinds. All have the same columns: kind, name, id, organization, payer, a text and two
# numbers that mean what the kind says, and of owners how far the payer's clock is ahead.
ALL = """
WITH {owners}, {meters}
SELECT o.kind, o.name, o.id, o.organization_id, o.root_id, o.environment, {has_ledger}::int::numeric, o.last_used_at,
       o.clock_ahead
  FROM owner o {ledger}
 UNION ALL
{holds}
SELECT 'meter', slug, NULL, NULL, NULL, NULL, id, unit_amount, NULL FROM meter
 UNION ALL
SELECT 'tier', m.slug, NULL, NULL, NULL, NULL, t.up_to, t.unit_amount, NULL
  FROM meter m JOIN billing_pricetier t ON t.price_id = m.price_id
 UNION ALL
SELECT 'endpoint', m.slug, NULL, NULL, NULL, e.endpoint, NULL, e.unit_amount, NULL
  FROM meter m JOIN billing_endpointprice e ON e.meter_id = m.id WHERE e.endpoint = ANY(%(endpoints)s::text[])
 UNION ALL
SELECT 'allowance', m.slug, NULL, NULL, s.organization_id, NULL, NULL, l.included_quantity, NULL
  FROM billing_subscription s JOIN billing_planallowance l ON l.plan_id = s.plan_id JOIN meter m ON m.id = l.meter_id
 WHERE s.status IN ('active', 'trialing') AND s.organization_id IN (SELECT root_id FROM owner)
"""
HOLDS = """
SELECT 'hold', '', id, organization_id, account_id, NULL, NULL, NULL, NULL
  FROM billing_hold WHERE id = ANY(%(holds)s::uuid[]) {routed}
"""
LEDGER = "LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id"
EVERYTHING = sql.compose(
    ALL,
    owners=OWNERS,
    meters=METERS,
    has_ledger="(a.organization_id IS NOT NULL)",
    ledger=LEDGER,
    holds=sql.compose("{holds} UNION ALL", holds=sql.compose(HOLDS, routed="")),
)

# Where the tables are distributed, such a join would read all accounts. So what is distributed is asked for apart, and
# payer by payer: an array would be looked for on every machine, even on one that is down.
EVERYTHING_ELSE = sql.compose(ALL, owners=OWNERS, meters=METERS, has_ledger="false", ledger="", holds="")
LEDGER_OF_ONE = "SELECT FROM billing_ledgeraccount WHERE organization_id = %(payer)s"
HOLDS_OF_ONE = sql.compose(HOLDS, routed="AND account_id = %(payer)s")


def over_limit() -> Rejected:
    """An event would be charged more than fits where the amount is stored."""
    return Rejected("invalid", f"The charge is over {LARGEST} credits.", "quantity")


@dataclass(slots=True, eq=False)
class Owner:
    """The owner of events: an organization, its payer, and the key that was used.

    `tenant` is the organization in hexadecimal digits, which Python compares faster than a UUID. `number` is the
    owner's within the batch. `last_used_at` is the key's, in seconds since 1970. The payer's clock is `ahead`.
    """

    number: int
    organization: UUID
    tenant: str
    account: UUID
    key: UUID | None
    environment: str
    has_ledger: bool
    last_used_at: float | None
    ahead: timedelta = NOT_AHEAD


@dataclass(slots=True, eq=False)
class Terms:
    """What the units of a meter (its id) cost an owner at one endpoint. Nothing, unless the owner is live.

    `number` is the terms' within the batch. `by_volume`: the charge depends on what came before it in its month.
    `charges` remembers charges at a flat price.
    """

    number: int
    owner: Owner
    meter: int
    endpoint: str
    schedule: Schedule
    is_live: bool = field(init=False)
    by_volume: bool = field(init=False)
    charges: dict[Decimal, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.is_live = self.owner.environment == LIVE
        self.by_volume = self.is_live and not self.schedule.is_flat

    def charge(self, quantity: Decimal) -> Decimal:
        """What `quantity` units cost, unless they are priced by volume."""
        charge = self.charges.get(quantity)
        if charge is None:
            charge = pricing.rate(quantity, self.schedule.unit_amount) if self.is_live else ZERO
            if charge > LARGEST:
                raise over_limit()
            self.charges[quantity] = charge
        return charge


Names = tuple[str | None, str | None, str, str]  # what an event names: its key, organization, meter and endpoint


@dataclass(slots=True)
class Lookup:
    """Everything that a batch names, read before the lock: prices and plans are those at the arrival."""

    keys: dict[str, Owner] = field(default_factory=dict)
    organizations: dict[str, Owner] = field(default_factory=dict)
    holds: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)  # payer and organization of each
    meters: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    tiers: dict[str, list[Tier]] = field(default_factory=dict)
    endpoints: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    allowances: dict[tuple[UUID, str], Decimal] = field(default_factory=dict)
    _terms: dict[Names, Terms] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Iterable[UsageRecord]) -> "Lookup":
        """Everything that these events name, in one statement."""
        lookup, batch = cls(), list(batch)
        if not batch:
            return lookup
        names = {(event.key, event.organization, event.meter, event.endpoint) for event in batch}
        keys, organizations, meters, endpoints = zip(*names, strict=True)
        parameters = {
            "keys": list(set(keys) - {None}),
            "organizations": list(set(organizations) - {None}),
            "meters": list(set(meters)),
            "endpoints": list(set(endpoints) - {""}),
            "holds": list({event.hold for event in batch if event.hold}),
        }
        is_distributed = distribution.is_distributed()
        for row in sql.rows(EVERYTHING_ELSE if is_distributed else EVERYTHING, parameters):
            lookup._add(*row)
        if is_distributed:
            lookup._add_distributed(parameters["holds"])
        for tiers in lookup.tiers.values():
            tiers.sort(key=lambda tier: (tier.up_to is None, tier.up_to or ZERO))
        return lookup

    def _add(
        self, kind: str, name: str, id: Any, organization: Any, payer: Any, text: Any, a: Any, b: Any, ahead: Any
    ) -> None:
        match kind:
            case "key" | "organization":
                owners = self.keys if kind == "key" else self.organizations
                number = len(self.keys) + len(self.organizations)
                used = float(b) if b else None
                owner = Owner(
                    number, organization, organization.hex, payer, id, text, bool(a), used, ahead or NOT_AHEAD
                )
                owners[name] = owner
            case "hold":
                self.holds[id] = (payer, organization)
            case "meter":
                self.meters[name] = (int(a), b)
            case "tier":
                self.tiers.setdefault(name, []).append(Tier(a, b))
            case "endpoint":
                self.endpoints[name, text] = b
            case "allowance":
                self.allowances[payer, name] = b

    def _add_distributed(self, holds: list[UUID]) -> None:
        owners = [*self.keys.values(), *self.organizations.values()]
        payers = {owner.account for owner in owners}
        opened = {payer for payer in payers if sql.rows(LEDGER_OF_ONE, {"payer": payer})}
        for owner in owners:
            owner.has_ledger = owner.account in opened
        for payer in payers if holds else ():
            for row in sql.rows(HOLDS_OF_ONE, {"holds": holds, "payer": payer}):
                self._add(*row)

    def terms(self, event: UsageRecord) -> Terms:
        """The event's owner and terms. `Rejected` if it names something that is missing or belongs to someone else."""
        names = (event.key, event.organization, event.meter, event.endpoint)
        terms = self._terms.get(names)
        if terms is None:
            terms = self._terms[names] = self._new_terms(event)
        if event.hold:
            self._check_hold(event.hold, terms)
        return terms

    def _check_hold(self, hold: UUID, terms: Terms) -> None:
        """Holds reserve credits, so all of them are live. A test event costs nothing, so it must not release one."""
        if self.holds.get(hold) != (terms.owner.account, terms.owner.organization):
            raise Rejected("unknown_hold", "There is no such hold.", "hold")
        if not terms.is_live:
            raise Rejected("hold_of_other_environment", "The hold is live, and the key is a test key.", "hold")

    def _new_terms(self, event: UsageRecord) -> Terms:
        owner = self._owner(event)
        if event.meter not in self.meters:
            raise Rejected("unknown_meter", "There is no such meter.", "meter")
        id, unit_amount = self.meters[event.meter]
        tiers = tuple(self.tiers.get(event.meter, ()))
        if (override := self.endpoints.get((event.meter, event.endpoint))) is not None:
            unit_amount, tiers = override, ()
        included = self.allowances.get((owner.account, event.meter), ZERO)
        return Terms(len(self._terms), owner, id, event.endpoint, Schedule(unit_amount, tiers, included))

    def _owner(self, event: UsageRecord) -> Owner:
        if event.organization is not None and event.organization not in self.organizations:
            raise Rejected("unknown_organization", "There is no such organization.", "organization")
        if event.key is None:
            return self.organizations[event.organization or ""]
        owner = self.keys.get(event.key)
        if owner is None:
            raise Rejected("unknown_key", "There is no such key.", "key_id")
        if event.organization and self.organizations[event.organization].organization != owner.organization:
            raise Rejected("unknown_key", "This organization has no such key.", "key_id")
        return owner
