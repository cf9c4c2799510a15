"""Amounts as people read them: every digit that there is, thousands in groups, and a real minus sign."""

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
    """With a plus before what raises the balance."""
    return f"+{amount(number)}" if number > 0 else amount(number)


@register.filter
def aligned(text: str, places: int) -> SafeString:
    """A number with room for as many decimals as its column has, so that the points stand below each other."""
    _, _, fraction = text.partition(".")
    missing = "0" * (places - len(fraction))
    room = ("" if fraction or not places else ".") + missing
    return format_html('{}<span class="room" aria-hidden="true">{}</span>', text, room) if room else SafeString(text)


@register.filter
def money(number: Decimal, currency: str) -> str:
    """`USD 25.00`: the currency's own decimals, or more where the amount has more."""
    if not currency:
        return amount(number)
    whole, _, fraction = amount(number).partition(".")
    fraction = fraction.ljust(countries.decimals_of(currency), "0")
    return f"{currency}{NO_BREAK_SPACE}{whole}{'.' if fraction else ''}{fraction}"


@register.filter
def country(code: str) -> str:
    return countries.names().get(code, code)


def places(numbers: Iterable[Decimal]) -> int:
    """The decimals of the longest of a column's numbers."""
    return max((len(plain(number).partition(".")[2]) for number in numbers), default=0)
