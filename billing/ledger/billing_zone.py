"""The billing zone: the time zone in which a payer's months are counted. It is a history, kept in the ledger account.

A change of the organization's time zone counts from the next turn of the month on. This history alone tells which month
a moment lies in, for budgets, tiers, volumes, voids and reports. So no moment is in two months or in none, and what was
counted in a month can be given back there.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from accounts.lib import months, quarters, sql
from accounts.models import Organization

# Usage is accepted up to an hour ahead, and servers' clocks differ. A change must not affect usage already counted.
AHEAD = timedelta(hours=2)

HISTORY = """
SELECT o.timezone, coalesce(a.zones, '[]') FROM accounts_organization o
  LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.id WHERE o.id = %(payer)s
"""

ALWAYS = quarters.number_of(datetime.min.replace(tzinfo=quarters.EPOCH.tzinfo))


@dataclass(frozen=True, slots=True)
class BillingZone:
    """`periods` are pairs of a quarter of an hour and the time zone that counts from then on, in order.

    The first one counts from always.
    """

    periods: tuple[tuple[int, str], ...]

    def month_of(self, moment: datetime) -> date:
        """The first day of the month in which the moment lies."""
        return self.month_of_quarter(quarters.number_of(moment))

    def month_of_quarter(self, number: int) -> date:
        """The first day of the month of a quarter of an hour. A quarter never spans two months."""
        return _month_of_quarter(self.periods, number)

    def bounds(self, month: date) -> tuple[datetime, datetime]:
        """[start, end) of a month; in UTC."""
        return _bounds(self, month)

    def first_quarter(self, month: date) -> int:
        """The number of the first quarter of an hour of a month.

        The search starts at local midnight, nearly always the right one. After a change it may be up to 26 hours away.
        """
        name = _name(self.periods, quarters.number_of(months.midnight(month)))
        number = quarters.number_of(months.midnight(month, name))
        while self.month_of_quarter(number) >= month:
            number -= 1
        while self.month_of_quarter(number) < month:
            number += 1
        return number

    def changed(self, timezone: str, now: datetime) -> "BillingZone":
        """The history after a change that is made at `now`. A change that has not begun to count is replaced."""
        horizon = quarters.number_of(now + AHEAD)
        begun = BillingZone(tuple((since, name) for since, name in self.periods if since <= horizon))
        if begun.periods[-1][1] == timezone:
            return begun
        _, turn = begun.bounds(begun.month_of_quarter(horizon))
        return BillingZone((*begun.periods, (quarters.number_of(turn), timezone)))

    def stored(self) -> list[list[str | None]]:
        """As `LedgerAccount.zones` has it: pairs of a time zone and the moment from which it counts."""
        return [
            [name, None if since == ALWAYS else quarters.start_of(since).isoformat()] for since, name in self.periods
        ]


@lru_cache(maxsize=4096)
def parse(timezone: str, zones: str) -> BillingZone:
    """The history out of `LedgerAccount.zones`, as JSON. If it is empty, `timezone`, the payer's, was never changed."""
    pairs = json.loads(zones) or [(timezone, None)]
    return BillingZone(
        tuple(
            (ALWAYS if since is None else quarters.number_of(datetime.fromisoformat(since)), name)
            for name, since in pairs
        )
    )


def of(organization: Organization) -> BillingZone:
    """The billing zone of the organization's payer as it stands now. Under its lock, `posting.lock` has it already."""
    return parse(*sql.rows(HISTORY, {"payer": organization.root_id})[0])


def _name(periods: tuple[tuple[int, str], ...], number: int) -> str:
    return next(name for since, name in reversed(periods) if since <= number)


@lru_cache(maxsize=16384)
def _bounds(zone: BillingZone, month: date) -> tuple[datetime, datetime]:
    following = months.shift(month, 1)
    return quarters.start_of(zone.first_quarter(month)), quarters.start_of(zone.first_quarter(following))


@lru_cache(maxsize=16384)
def _month_of_quarter(periods: tuple[tuple[int, str], ...], number: int) -> date:
    name = _name(periods, number)
    month = quarters.month_of_quarter(number, name)
    following = months.shift(month, 1)
    # There's a trap: clocks that are turned back over midnight begin a month twice, as in St. John's in November 2009.
    return following if quarters.start_of(number) >= months.midnight(following, name) else month
