from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from accounts.lib.money import ZERO
from accounts.lib.problems import NotFound
from accounts.models import Organization
from billing.ledger import posting

Params = Mapping[str, Any]


class Amount(NamedTuple):
    """Of money, or of credits where there is no currency."""

    number: Decimal
    currency: str = ""


Figures = dict[str, str | Amount]  # by their names


class Action(ABC):
    """A kind of change request. `load` finds what it is done to, the row that the other methods take.

    `params` are JSON: Decimals, texts, booleans and ISO dates.
    """

    kind: ClassVar[str]
    always_needs_approval: ClassVar[bool] = False

    @abstractmethod
    def load(self, subject: str) -> Any:
        """`NotFound` if nothing has this name."""

    @abstractmethod
    def organization(self, row: Any) -> Organization | None:
        """The organization whose events report it; None if it concerns every customer."""

    @abstractmethod
    def run(self, row: Any, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        """Do it, in the caller's transaction. Returns in words what was done."""

    def lock(self, row: Any, now: datetime) -> None:
        """Lock what it changes, until the end of the transaction: by default the payer."""
        organization = self.organization(row)
        if organization:
            posting.lock([organization.root_id], now)

    def amount(self, row: Any, params: Params) -> Decimal:
        """The credits that count against the limit of one operator."""
        return ZERO

    def figures(self, row: Any, now: datetime) -> Figures:
        """The figures that it changes, besides the payer's balance, formatted for people."""
        return {}

    @property
    def permission(self) -> str:
        return f"billing.request_{self.kind}"


def payer(subject: str) -> Organization:
    """The root organization with this public id."""
    organization = Organization.objects.filter(public_id=subject, parent=None).first()
    if organization is None:
        raise NotFound("There is no such customer.")
    return organization


def moment(params: Params, name: str) -> datetime | None:
    return datetime.fromisoformat(params[name]) if params.get(name) else None
