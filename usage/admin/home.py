"""The operators' home: what happened in a day, what waits, and whether the books agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.lib import broker
from billing.templatetags.money import amount, money
from usage.reporting import installation
from usage.reporting.installation import MOST


@dataclass(frozen=True)
class Tile:
    """A figure and the list behind it. `state` is `good`, `bad` or nothing; `note` says so in words."""

    name: str
    figure: str
    note: str
    url: str
    state: str = ""


def home(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Operations"),
        "app_list": admin.site.get_app_list(request),
        "tiles": list(tiles(request, timezone.now())),
    }
    return render(request, "admin/desk/home.html", context)


def tiles(request: HttpRequest, now: datetime) -> Iterator[Tile]:
    """The tiles whose list the operator may see."""
    for permission, make in TILES:
        if request.user.has_perm(permission):
            yield make(now)


def address(model: str, **query: Any) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(query)}".rstrip("?")


def counted(number: int) -> str:
    return _("more than %(number)s") % {"number": amount(MOST)} if number > MOST else amount(number)


def day_ago(now: datetime) -> str:
    return (now - installation.DAY).isoformat()


def sign_ups(now: datetime) -> Tile:
    day, week = (installation.sign_ups(now, span) for span in (installation.DAY, installation.WEEK))
    url = address("accounts_organization", created_at__gte=day_ago(now), parent__isnull=1)
    note = _("in 24 hours; %(number)s in 7 days") % {"number": amount(week)}
    return Tile(_("Sign-ups"), amount(day), note, url)


def burn(now: datetime) -> Tile:
    moved = installation.movement(now)
    note = ngettext(
        "credits used in 24 hours by %(number)s active payer",
        "credits used in 24 hours by %(number)s active payers",
        moved.active_payers,
    ) % {"number": amount(moved.active_payers)}
    return Tile(_("Burn"), amount(moved.burn), note, address("usage_usagerollup", bucket__gte=day_ago(now)))


def purchases(now: datetime) -> Tile:
    rows = installation.purchases(now)
    figure = " + ".join(money(total, currency) for currency, total, _ in rows[:3]) or "0"
    number = sum(n for *_, n in rows)
    note = ngettext("by %(number)s payment in 24 hours", "by %(number)s payments in 24 hours", number)
    note %= {"number": amount(number)}
    url = address("billing_payment", status__exact="succeeded", created_at__gte=day_ago(now))
    return Tile(_("Purchases"), figure, note, url)


def failed_payments(now: datetime) -> Tile:
    failed = installation.failed_payments(now)
    url = address("billing_payment", status__exact="failed", created_at__gte=day_ago(now))
    return Tile(_("Failed payments"), amount(failed), _("in 24 hours"), url)


def webhook_failures(now: datetime) -> Tile:
    failed, failing = installation.failed_deliveries(now), installation.failing_endpoints()
    note = ngettext(
        "given up in 24 hours; %(number)s endpoint fails now",
        "given up in 24 hours; %(number)s endpoints fail now",
        failing,
    ) % {"number": amount(failing)}
    url = address("accounts_delivery", status__exact="failed", created_at__gte=day_ago(now))
    return Tile(_("Webhook failures"), counted(failed), note, url)


def queues(now: datetime) -> Tile:
    rows, tasks = installation.waiting(), broker.tasks_waiting()
    parts = [_queue(name, number) for name, number in rows.items()]
    parts.append(_("and the broker does not answer") if tasks is None else _queue("tasks", tasks))
    state = "bad" if tasks is None else ""
    url = address("accounts_delivery", status__exact="pending")
    return Tile(_("Queues"), counted(sum(rows.values())), ", ".join(parts), url, state)


def _queue(name: str, number: int) -> str:
    text = {
        "events": ngettext("%(number)s event", "%(number)s events", number),
        "webhooks": ngettext("%(number)s webhook", "%(number)s webhooks", number),
        "emails": ngettext("%(number)s email", "%(number)s emails", number),
        "gateway events": ngettext("%(number)s gateway event", "%(number)s gateway events", number),
        "tasks": ngettext("%(number)s task", "%(number)s tasks", number),
    }[name]
    return text % {"number": counted(number)}


def drift(now: datetime) -> Tile:
    proof, url = installation.last_proof(), address("usage_ledgerproof")
    if proof is None:
        return Tile(_("Ledger drift"), "?", _("never proved: run manage.py check_ledger"), url, "bad")
    note = ngettext(
        "differences, proved %(age)s ago over %(number)s account",
        "differences, proved %(age)s ago over %(number)s accounts",
        proof.accounts,
    ) % {"age": timesince(proof.finished_at, now), "number": amount(proof.accounts)}
    return Tile(_("Ledger drift"), amount(proof.differences), note, url, "bad" if proof.differences else "good")


def requests(now: datetime) -> Tile:
    url, waiting = address("billing_changerequest", state__exact="waiting"), installation.requests_waiting(now)
    note = ngettext("waits for a second person", "wait for a second person", waiting)
    return Tile(_("Change requests"), amount(waiting), note, url)


TILES = (
    ("accounts.view_organization", sign_ups),
    ("billing.view_payment", purchases),
    ("usage.view_usagerollup", burn),
    ("billing.view_payment", failed_payments),
    ("accounts.view_delivery", webhook_failures),
    ("accounts.view_delivery", queues),
    ("usage.view_ledgerproof", drift),
    ("billing.view_changerequest", requests),
)
