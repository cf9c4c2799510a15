"""What auto-recharge does with its settings, in one sentence. The script of its page fills in the same texts."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.lib.languages import written
from accounts.lib.money import plain

TEXTS = {
    "off": _("Nothing is bought automatically."),
    "incomplete": _("Set the balance below which credits are bought, and how many."),
    "amount": _("When less than {threshold} credits are left, {amount} credits are bought"),
    "target": _("When less than {threshold} credits are left, credits are bought up to a balance of {target}"),
    "monthly_limit": _(", at most {monthly_limit} a month"),
    "monthly_count": _(", at most {monthly_count} times a month"),
}


def describe(settings: Mapping[str, Any]) -> str:
    """`settings` are those of auto-recharge, by their names; None or missing where not set."""
    values = {name: written(plain(value)) if isinstance(value, Decimal) else value for name, value in settings.items()}
    if not values.get("enabled"):
        return str(TEXTS["off"])
    size = next((name for name in ("amount", "target") if values.get(name) is not None), None)
    if size is None or values.get("threshold") is None:
        return str(TEXTS["incomplete"])
    bounds = [name for name in ("monthly_limit", "monthly_count") if values.get(name) is not None]
    return "".join(str(TEXTS[name]).format(**values) for name in (size, *bounds)) + "."
