"""The settings of auto-recharge: checked, and saved with the consent to charge a card."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from accounts import events
from accounts.lib.languages import translated
from accounts.lib.money import ZERO, plain
from accounts.lib.problems import InvalidField, InvalidFields
from accounts.lib.sentences import filled
from accounts.models import Organization
from billing import accounts
from billing.ledger import posting, thresholds
from billing.models import AutoRecharge
from billing.payments import methods, minor_units, purchases, recharge, rounds

CONSENT = gettext_noop(
    "Charge this card whenever the balance falls below the threshold, until auto-recharge is switched off."
)


@transaction.atomic
def change(organization: Organization, params: Mapping[str, Any], *, by: events.Actor, now: datetime) -> AutoRecharge:
    """Save the settings. A payment that is under way goes on, whatever is changed.

    Without a `payment_method` among the parameters, the card stays as it is; an empty one means the default card.

    Switching it on, or choosing another card for it, is the consent to charge that card: it is kept, with who gave it
    and when.
    """
    accounts.required(organization)
    posting.lock([organization.pk], now)
    before = recharge.of(organization)
    charged_before = rounds.chargeable_card(before, now)
    name = params.get("payment_method")
    kept = None if "payment_method" in params else before.payment_method
    card = methods.choose(organization, name, now) if name else kept
    values = {field: params.get(field) for field in ("threshold", "amount", "target", "monthly_limit", "monthly_count")}
    if params["enabled"]:
        _check(organization, values)
        if card is None:
            methods.choose(organization, None, now)  # A default card has to be there.
    is_switched_on = params["enabled"] and not before.enabled
    consents = is_switched_on or (params["enabled"] and card != before.payment_method)
    consent = {"consent": translated(CONSENT), "consent_by": by.id or "", "consent_at": now} if consents else {}
    settings, _ = AutoRecharge.objects.update_or_create(
        organization=organization,
        defaults={**values, "enabled": params["enabled"], "payment_method": card, **consent},
    )
    if settings.monthly_limit != before.monthly_limit:
        AutoRecharge.objects.filter(pk=settings.pk).update(announced=0)
    thresholds.set_recharge_below(organization.pk, settings.threshold if settings.enabled else None)
    charged = rounds.chargeable_card(settings, now)
    if is_switched_on:
        rounds.lift(organization.pk, now)
    elif charged and charged != charged_before:
        rounds.lift_for(charged, now)
    names = ("enabled", *values)
    changes = {
        "before": {name: getattr(before, name) for name in names},
        "after": {name: getattr(settings, name) for name in names},
    }
    described = {"enabled": settings.enabled, "actor": by.id, **changes}
    events.record(organization.pk, "auto_recharge.changed", described, now, actor=by, targets=[organization.public_id])
    return settings


def _check(organization: Organization, values: Mapping[str, Any]) -> None:
    """Refuse settings with which the balance could never reach the threshold, or that could never charge at all."""
    currency = recharge.currency_of(organization)
    if refusals := [*_refusals(values, currency), *_uncharged(values, currency)]:
        raise InvalidFields(refusals)


def _refusals(values: Mapping[str, Any], currency: str) -> Iterator[tuple[str, str]]:
    """Each field that is wrong, and why."""
    least, threshold = minor_units.MINIMUMS.get(currency), values["threshold"]
    amount, target, limit = values["amount"], values["target"], values["monthly_limit"]
    if least is None:
        yield "enabled", filled("%(currency)s can't be charged.", currency=currency)
        return
    if threshold is None:
        yield "threshold", "Required to switch auto-recharge on."
    if (amount is None) == (target is None):
        yield "amount", "Give either an amount or a target."
        return
    charge = amount if amount is not None else target - (threshold or ZERO)
    if amount is not None and amount < least:
        yield (
            "amount",
            filled("At least %(least)s, the smallest charge in %(currency)s.", least=plain(least), currency=currency),
        )
    if target is not None and threshold is not None and charge < least:
        yield (
            "target",
            filled("At least %(least)s: the threshold and the smallest charge.", least=plain(threshold + least)),
        )
    if limit is not None and limit < charge:
        yield "monthly_limit", filled("At least %(charge)s, one charge.", charge=plain(charge))


def _uncharged(values: Mapping[str, Any], currency: str) -> Iterator[tuple[str, str]]:
    """Amounts that are too large for one charge: with an empty balance, the whole amount would be charged."""
    for name in ("threshold", "amount", "target"):
        if values[name] is not None and currency in minor_units.MINIMUMS:
            try:
                purchases.check_amount(minor_units.round_up(values[name], currency), currency)
            except InvalidField as error:
                yield name, error.errors[0]["detail"]
