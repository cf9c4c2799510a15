"""Amounts for people: every digit, thousands in groups, and a real minus sign."""

from collections.abc import Iterable
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.lib import countries
from accounts.lib.money import plain

MINUS = "\u2212"
NO_BREAK_SPACE = "\u00a0"

register = template.Library()


@register.filter
def amount(number: Decimal | int) -> str:
    """`1,250.5`, `−0.001`."""
    whole, point, fraction = plain(Decimal(number)).partition(".")
    return f"{int(whole):,}{point}{fraction}".replace("-", MINUS) if whole != "-0" else f"{MINUS}0.{fraction}"


@register.filter
def signed(number: Decimal) -> str:
    """Like `amount`, with a plus before a positive number."""
    return f"+{amount(number)}" if number > 0 else amount(number)


@register.filter
def aligned(text: str, places: int) -> SafeString:
    """Pads a number with invisible decimals, so that the points of a column line up."""
    _, _, fraction = text.partition(".")
    missing = "0" * (places - len(fraction))
    room = ("" if fraction or not places else ".") + missing
    return format_html('{}<span class="room" aria-hidden="true">{}</span>', text, room) if room else SafeString(text)


@register.filter
def money(number: Decimal, currency: str) -> str:
    """`USD 25.00`: at least the currency's decimals, and more if the amount has more."""
    if not currency:
        return amount(number)
    whole, _, fraction = amount(number).partition(".")
    fraction = fraction.ljust(countries.decimals_of(currency), "0")
    return f"{currency}{NO_BREAK_SPACE}{whole}{'.' if fraction else ''}{fraction}"


@register.filter
def country(code: str) -> str:
    return countries.names().get(code, code)


def places(numbers: Iterable[Decimal]) -> int:
    """The largest number of decimals in a column."""
    return max((len(plain(number).partition(".")[2]) for number in numbers), default=0)
