"""Countries (ISO 3166-1 alpha-2) and their currencies, as Unicode's CLDR has them."""

import re
from functools import cache
from unicodedata import normalize

from babel import Locale
from babel.numbers import get_currency_precision, get_territory_currencies
from django.utils.translation import get_language

# Codes that CLDR adds for itself or for groups of countries. ISO 3166-1 doesn't assign them.
NOT_COUNTRIES = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"})
FALLBACK_CURRENCY = "USD"


@cache
def names(language: str = "en") -> dict[str, str]:
    """Code to name."""
    territories = Locale(language).territories
    return {c: n for c, n in territories.items() if re.fullmatch("[A-Z]{2}", c) and c not in NOT_COUNTRIES}


def by_name() -> list[tuple[str, str]]:
    """Pairs of code and name, in the order of the names in the language of the page: the choices of a form."""
    return sorted(names(get_language() or "en").items(), key=lambda country: normalize("NFKD", country[1]))


def currency_of(country: str) -> str:
    """The legal tender of a country, or US dollars where there is none, as in Antarctica."""
    tender = get_territory_currencies(country, tender=True)
    return str(tender[0]) if tender else FALLBACK_CURRENCY


def decimals_of(currency: str) -> int:
    """The decimals in which the currency can be charged: 2 for USD, 0 for JPY."""
    return get_currency_precision(currency)
