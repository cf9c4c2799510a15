"""The change of a figure since the previous period, in words."""

from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.lib.languages import written


def change(value: Decimal | int, before: Decimal | int) -> str:
    """`+12.5%`, `12×`; `new` where there was nothing."""
    value, before = Decimal(value), Decimal(before)
    if before <= 0:
        return _("new") if value > 0 else "±0%"
    if value > 10 * before:
        return written(f"{value / before:,.0f}×")
    per_cent = 100 * (value - before) / before
    return written(f"{per_cent:+,.1f}%").replace("-", "\u2212") if per_cent else "±0%"
