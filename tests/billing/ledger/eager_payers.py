"""Whose eager books they are: payers, and the organizations of their trees, with budgets."""

from decimal import Decimal

from accounts.models import Organization
from billing.ledger import balances
from billing.models import LedgerEntry
from tests.billing.ledger import eager_book

ZERO = Decimal(0)


class Payer:
    """`beyond`: whether more was taken than had been admitted."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.book = eager_book.EagerBook()
        self.beyond = False
        self.answers: dict[str, tuple[LedgerEntry.Kind, Decimal, balances.Posting]] = {}
        self.entries: list[tuple[balances.Posting, Decimal, eager_book.Lot | None]] = []

    def use(self, amount: Decimal, drawn: list[tuple[eager_book.Hold, Decimal]]) -> None:
        """Usage, some of it drawn from holds."""
        holds = {id(hold): hold for hold, _ in drawn}.values()
        covered = (min(hold.unspent, sum(taken for drawn_from, taken in drawn if drawn_from is hold)) for hold in holds)
        self.beyond |= amount > sum(covered)
        self.book.use(amount, drawn)


class Owner:
    """An organization of a payer's tree, with its spending and holds, which count in the budgets above it too."""

    def __init__(self, organization: Organization, payer: Payer, above: "Owner | None" = None) -> None:
        self.organization, self.payer = organization, payer
        self.nodes = [self, above] if above else [self]
        self.budget: Decimal | None = None
        self.spent = ZERO
        self.holds: list[eager_book.Hold] = []

    def spend(self, amount: Decimal) -> None:
        for node in self.nodes:
            node.spent += amount

    def exceeds(self, amount: Decimal) -> bool:
        return any(node.budget is not None and node._taken() + amount > node.budget for node in self.nodes)

    def _taken(self) -> Decimal:
        return self.spent + sum((hold.unspent for hold in self.holds), ZERO)
