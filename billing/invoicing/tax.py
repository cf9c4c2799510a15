"""The tax on what a payer buys: once for each rate of a paper, rounded half up, never line by line.

`settings.TAX_PROVIDER` names the function that decides. Ours reads the table of rates; another one may ask a service,
such as Stripe Tax. It is called before the transaction that writes the payment, so it may take its time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop

from accounts.lib import sql, timezones
from accounts.lib.money import ZERO
from billing.invoicing import vat_ids
from billing.models import BillingAccount, Invoice
from billing.payments import minor_units

TABLE = "billing.invoicing.tax.by_table"  # the `TAX_PROVIDER` that asks nobody
RATE = """
SELECT name, percent FROM billing_taxrate
 WHERE country = %(country)s AND region IN ('', %(region)s) AND valid_from <= %(day)s
 ORDER BY region DESC, valid_from DESC LIMIT 1
"""
REVERSE_CHARGE = gettext_noop("Reverse charge: the customer accounts for the VAT.")  # papers have it in English


@dataclass(frozen=True)
class Tax:
    """`category` is a code of EN 16931: S taxed, Z zero rate, E exempt, AE reverse charge. `reason`: why it is 0."""

    name: str
    category: str
    percent: Decimal
    taxable: Decimal
    amount: Decimal
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Provider(Protocol):
    """Decides about the tax on a net amount that an account buys at a moment. No tax at all is an empty sequence."""

    def __call__(self, account: BillingAccount, net: Decimal, currency: str, now: datetime) -> Sequence[Tax]: ...


def assess(account: BillingAccount, net: Decimal, currency: str, now: datetime) -> list[Tax]:
    provider: Provider = import_string(settings.TAX_PROVIDER)
    return list(provider(account, net, currency, now))


def by_table(account: BillingAccount, net: Decimal, currency: str, now: datetime) -> Sequence[Tax]:
    """By the account's exemption or own rate, as a reverse charge, or by the rate of the buyer's country."""
    if account.tax_exemption:
        return [Tax("VAT", "E", ZERO, net, ZERO, account.tax_exemption)]
    if account.tax_percent is not None:
        return [_taxed("VAT", account.tax_percent, net, currency)]
    if is_reverse_charge(account):
        return [Tax("VAT", "AE", ZERO, net, ZERO, REVERSE_CHARGE)]
    rate = rate_of(account, now.astimezone(timezones.zone(settings.SELLER["timezone"])).date())
    return [_taxed(*rate, net, currency)] if rate else []


def is_reverse_charge(account: BillingAccount) -> bool:
    """A business in another country of the EU, known by its VAT id, accounts for the tax itself."""
    seller = settings.SELLER
    abroad = account.country != seller["country"]
    is_union = {account.country, seller["country"]} <= vat_ids.UNION
    has_ids = bool(seller["vat_id"]) and account.vat_id_valid is not False
    return abroad and is_union and has_ids and vat_ids.is_of(account.vat_id, account.country)


def rate_of(account: BillingAccount, day: date) -> tuple[str, Decimal] | None:
    """The name and percentage of the account's region, or else of its country, that count on that day."""
    return next(iter(sql.rows(RATE, {"country": account.country, "region": account.state, "day": day})), None)


def _taxed(name: str, percent: Decimal, net: Decimal, currency: str) -> Tax:
    amount = rounded(net * percent / 100, currency)
    return Tax(name, "S" if percent else "Z", percent, net, amount)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To what the currency can be charged with, half up."""
    return amount.quantize(Decimal(1).scaleb(-minor_units.decimals(currency)), ROUND_HALF_UP)


def total(taxes: Sequence[Tax]) -> Decimal:
    return sum((tax.amount for tax in taxes), ZERO)


def from_json(taxes: Sequence[Mapping[str, Any]]) -> list[Tax]:
    """What `as_json` made. A number without a point is an int in JSON."""
    numbers = ("percent", "taxable", "amount")
    return [Tax(**{**tax, **{name: Decimal(tax[name]) for name in numbers}}) for tax in taxes]


def credited(invoice: Invoice, *, before: Decimal, amount: Decimal) -> list[Tax]:
    """The taxes in a credit note over `amount`, tax included, for an invoice of which `before` was credited already.

    Each is the tax of all that is credited so far, less what was credited earlier. So the credit notes of an invoice
    never give back more tax than it has, and all of it once it is credited in full.
    """

    def credited_tax(part: Tax, gross: Decimal) -> Decimal:
        return rounded(part.amount * gross / invoice.total, invoice.currency)

    taxes = from_json(invoice.taxes)
    amounts = [credited_tax(each, before + amount) - credited_tax(each, before) for each in taxes]
    net = amount - sum(amounts, ZERO)
    return [
        replace(each, amount=part, taxable=rounded(net * each.taxable / invoice.subtotal, invoice.currency))
        for each, part in zip(taxes, amounts, strict=True)
    ]
