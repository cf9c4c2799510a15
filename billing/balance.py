"""What an organization has: its balance, and how much of it may be spent."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.lib import countries
from accounts.models import Organization
from billing import accounts
from billing.ledger import posting
from billing.models import BillingAccount, LedgerAccount


@dataclass(frozen=True)
class Statement:
    """`currency` is what a credit is worth one unit of: empty before there is an account to take it from."""

    account: BillingAccount | None
    balance: Decimal
    reserved: Decimal
    credit_limit: Decimal
    movements: int

    @property
    def available(self) -> Decimal:
        return self.balance - self.reserved + self.credit_limit

    @property
    def figures(self) -> tuple[Decimal, ...]:
        return self.balance, self.reserved, self.credit_limit, self.available

    @property
    def currency(self) -> str:
        if self.account is None:
            return ""
        return self.account.currency or countries.currency_of(self.account.country)


def of(organization: Organization) -> Statement:
    """Zeros before the first movement; `BilledByParent` for a child."""
    account = accounts.find(organization)
    mine = posting.current(organization.pk) or LedgerAccount()
    return Statement(account, mine.balance, mine.reserved, mine.credit_limit, mine.seq)
