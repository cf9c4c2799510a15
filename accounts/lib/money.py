"""Amounts: `Decimal` in credits, nine decimals, one rounding rule."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from accounts.lib import languages

DIGITS = 24
PLACES = 9
QUANTUM = Decimal(1).scaleb(-PLACES)
LARGEST = Decimal(10**9)
ZERO = Decimal(0)

# A number in a string: digits with an optional sign and point, and no exponent. Decimal() would also take `1_000`,
# digits of other scripts, and NaN.
PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

# Wide enough that the product of two stored numbers is exact before it is rounded.
_exact = Context(prec=2 * DIGITS + 10, rounding=ROUND_HALF_EVEN)


def multiply(a: Decimal, b: Decimal) -> Decimal:
    """The product, rounded half-even to nine decimals."""
    return rounded(_exact.multiply(a, b))


def rounded(number: Decimal) -> Decimal:
    """The number with nine decimals, rounded half-even. It must not be larger than what can be stored."""
    return _exact.quantize(number, QUANTUM)


def plain(amount: Decimal) -> str:
    """Plain decimal digits, without an exponent and without trailing zeros: `0.001`, `5`, `-12.5`."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


LIMITS = {
    "min_value": (MinValueValidator, gettext_lazy("Must be at least {limit}.")),
    "max_value": (MaxValueValidator, gettext_lazy("Must be at most {limit}.")),
}


class NumberFormField(forms.DecimalField):
    """A number in a form: digits without an exponent, and a comma as its point where people write one.

    Django's own field also takes `1e3` and `1_000`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": DIGITS, "decimal_places": PLACES, **options})
        for name in ("min_value", "max_value"):  # Django's own sentences would say `1E-9`
            if options.get(name) is not None:
                self._say_plainly(name, Decimal(options[name]))

    def _say_plainly(self, name: str, limit: Decimal) -> None:
        kind, text = LIMITS[name]
        for validator in self.validators:
            if isinstance(validator, kind):
                validator.message = format_lazy(text, limit=plain(limit))

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            text, value = value.strip(), languages.typed(value.strip())
            has_point = isinstance(self.widget, forms.NumberInput)  # browsers send one in every language
            if (value and not PLAIN.fullmatch(value)) or (languages.has_two_meanings(text) and not has_point):
                raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        """What the page shows: `0`, and not the `0E-9` that a stored zero prints as."""
        if not isinstance(value, Decimal):
            return value
        return plain(value) if isinstance(self.widget, forms.NumberInput) else languages.written(plain(value))


class AmountField(models.DecimalField[Any, Any]):
    """numeric(24, 9)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": DIGITS, "decimal_places": PLACES})

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": NumberFormField, **options})
