"""An organization's balance, and how much of it may be spent."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.models import Organization
from billing import accounts
from billing.ledger import posting
from billing.models import BillingAccount, LedgerAccount


@dataclass(frozen=True)
class Balance:
    """Amounts in credits. `entries` is the number of ledger entries. Below `low_balance` the customer is warned."""

    account: BillingAccount | None
    balance: Decimal
    reserved: Decimal
    credit_limit: Decimal
    entries: int
    low_balance: Decimal | None = None

    @property
    def available(self) -> Decimal:
        return self.balance - self.reserved + self.credit_limit

    @property
    def is_low(self) -> bool:
        return self.low_balance is not None and self.balance < self.low_balance

    @property
    def figures(self) -> tuple[Decimal, ...]:
        return self.balance, self.reserved, self.credit_limit, self.available

    @property
    def currency(self) -> str:
        """The currency of one credit; empty while there is no account to take it from."""
        if self.account is None:
            return ""
        return accounts.currency_of(self.account)


def of(organization: Organization, now: datetime) -> Balance:
    """Zeros before the first entry. `BilledByParent` for a child."""
    account = accounts.find(organization)
    ledger = posting.current(organization.pk, now) or LedgerAccount()
    return Balance(account, ledger.balance, ledger.reserved, ledger.credit_limit, ledger.seq, ledger.low_balance)
