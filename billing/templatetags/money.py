"""Amounts for people: every digit, thousands in groups, and a real minus sign."""

from collections.abc import Iterable
from decimal import Decimal

from django import template
from django.utils.translation import get_language, gettext, ngettext

from accounts.lib import countries
from accounts.lib.languages import written
from accounts.lib.money import plain
from billing.models.catalog import Interval

MINUS = "\u2212"
NO_BREAK_SPACE = "\u00a0"

register = template.Library()


@register.filter
def amount(number: Decimal | int) -> str:
    """`1,250.5`, `−0.001`; in German `1.250,5`."""
    whole, point, fraction = plain(Decimal(number)).partition(".")
    text = f"{int(whole):,}{point}{fraction}".replace("-", MINUS) if whole != "-0" else f"{MINUS}0.{fraction}"
    return written(text)


@register.filter
def signed(number: Decimal) -> str:
    """Like `amount`, with a plus before a positive number."""
    return f"+{amount(number)}" if number > 0 else amount(number)


@register.filter
def credits(number: Decimal) -> str:
    """`1 credit`, `0.5 credits`."""
    return ngettext("%(number)s credit", "%(number)s credits", plural(number)) % {"number": amount(number)}


@register.filter
def plural(number: Decimal | int) -> int:
    """For the forms of words: 1 for exactly one, and 2 for all else."""
    return 1 if number == 1 else 2


@register.filter
def aligned(text: str, places: int) -> str:
    """With as many decimals as its column, so that the decimal points line up: `5.000` above `0.125`."""
    whole, _, fraction = text.partition(point := written("."))
    return f"{whole}{point}{fraction.ljust(places, '0')}" if places else text


@register.filter
def money(number: Decimal, currency: str) -> str:
    """`USD 25.00`: at least the currency's decimals, and more if the amount has more."""
    if not currency:
        return amount(number)
    whole, _, fraction = amount(number).partition(point := written("."))
    fraction = fraction.ljust(countries.decimals_of(currency), "0")
    return f"{currency}{NO_BREAK_SPACE}{whole}{point if fraction else ''}{fraction}"


@register.filter
def country(code: str) -> str:
    return countries.names(get_language() or "en").get(code, code)


@register.filter
def interval(name: str) -> str:
    """How often a price is paid."""
    return gettext("per year") if name == Interval.YEAR else gettext("per month")


def places(numbers: Iterable[Decimal]) -> int:
    """The largest number of decimals in a column."""
    return max((len(plain(number).partition(".")[2]) for number in numbers), default=0)
