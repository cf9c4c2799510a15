"""VAT ids: their form, by python-stdnum, and what an online register says of them."""

import stdnum
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from accounts.lib.sentences import filled

# The countries of the EU, as billing accounts name them. Greece's VAT ids begin with EL.
UNION = frozenset(code.upper() for code in vat.MEMBER_STATES) - {"XI"}  # Northern Ireland's ids are British accounts'
_GREECE = {"GR": "EL"}


def normal(text: str, country: str) -> str:
    """The id of a business in this country in its normal form. `ValueError` with a sentence if it can't be one."""
    text = "".join(text.split()).upper()
    if country in UNION and not is_of(text, country):
        raise ValueError(
            filled(
                "This is no VAT id of %(country)s: it begins with %(prefix)s, and has a check digit.",
                country=country,
                prefix=_prefix(country),
            )
        )
    module = None if country in UNION else stdnum.get_cc_module(country.lower(), "vat")
    if module is None:
        return vat.compact(text) if country in UNION else text
    try:
        return str(module.validate(text))
    except ValidationError as error:
        raise ValueError(filled("This is no tax id of %(country)s.", country=country)) from error


def is_of(text: str, country: str) -> bool:
    """Whether it has the form of a VAT id of this country of the EU."""
    return text.upper().startswith(_prefix(country)) and vat.is_valid(text)


def _prefix(country: str) -> str:
    return _GREECE.get(country, country)
