"""What needs a person's attention in an organization now, and the page on which something can be done about it.

Urgent alerts are shown above every page. People only see alerts about things that they may read.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.lib.money import ZERO
from accounts.models import Organization, WebhookEndpoint
from accounts.webhooks import endpoints
from apikeys.models import ApiKey
from billing.invoicing import subscriptions
from billing.ledger import billing_zone
from billing.models import (
    AutoRecharge,
    Invoice,
    LedgerAccount,
    Payment,
    PaymentMethod,
    Spending,
    Subscription,
)
from billing.payments import rounds
from billing.templatetags.money import amount, money

REMEMBERED = timedelta(days=14)  # a failed payment that nobody repeated is no longer shown after this
EXPIRING = timedelta(days=14)
SUBJECTS_SHOWN = 5
NEARLY, ALL = 80, 100  # per cent of a budget


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Alert:
    """`page` is the path of its page; `action` is what the link to it says."""

    code: str
    level: Level
    detail: str
    page: str = ""
    action: str = ""

    def within(self, organization: Organization) -> "Alert":
        """The alert with the full path of its page, which was relative to the organization."""
        is_whole = not self.page or self.page.startswith("/")
        return self if is_whole else replace(self, page=f"/o/{organization.public_id}/{self.page}")


def urgent(organization: Organization, scopes: Collection[str], now: datetime) -> list[Alert]:
    """The alerts above every page: suspensions, and for a payer its credits, payments, plan and invoices."""
    alerts = list(_suspensions(organization))
    if organization.is_root and "credits:read" in scopes:
        alerts += _credits(organization)
    if organization.is_root and "billing:read" in scopes:
        alerts += [*_payments(organization, now), *_plan(organization), *_invoices(organization)]
    return [alert.within(organization) for alert in alerts]


def others(organization: Organization, scopes: Collection[str], now: datetime) -> list[Alert]:
    """The alerts that can wait: budgets, cards, keys and webhooks."""
    alerts = list(_budgets(organization, now))
    if organization.is_root and "billing:read" in scopes:
        alerts += _cards(organization, now)
    if "keys:read" in scopes:
        alerts += _keys(organization, now)
    if "webhooks:read" in scopes:
        alerts += _webhooks(organization)
    return [alert.within(organization) for alert in alerts]


def _suspensions(organization: Organization) -> Iterator[Alert]:
    """Each node from the root down that is suspended, for it suspends everything beneath it."""
    stopped = Organization.objects.filter(pk__in=organization.path).exclude(status=Organization.Status.ACTIVE)
    for node in sorted(stopped, key=lambda node: len(node.path)):
        unpaid = Organization.Suspension.UNPAID in node.suspended_for
        page, action = ("invoices/", _("Pay")) if unpaid and node == organization else ("", "")
        yield Alert("suspended", Level.ERROR, _suspension(organization, node, unpaid), page, action)


def _suspension(organization: Organization, node: Organization, unpaid: bool) -> str:
    if node.status == Organization.Status.CLOSED:
        return _("%(name)s is closed. Its keys are refused for good.") % {"name": node.name}
    text = _("%(name)s, above this organization, is suspended. All keys beneath it are refused.")
    if node == organization:
        text = _("%(name)s is suspended. Its keys are refused, and nothing can be changed.")
        text += " " + (_("You can look, and pay.") if node.is_root else _("You can look."))
    return " ".join([text % {"name": node.name}, *([_("An invoice is unpaid.")] if unpaid else [])])


def _credits(organization: Organization) -> Iterator[Alert]:
    ledger = LedgerAccount.objects.of(organization).first()
    if ledger is None or not ledger.seq:
        return  # nothing has happened yet: the first steps say what to do
    page, action = "credits/#buy", _("Add credits")
    if ledger.available <= ZERO:
        text = _("No credits are left. Calls that cost something are refused until you add some.")
        yield Alert("credits_empty", Level.ERROR, text, page, action)
    elif ledger.low_balance is not None and ledger.balance < ledger.low_balance:
        text = _("The balance is below %(threshold)s credits, where you wanted to be warned.")
        yield Alert("credits_low", Level.WARNING, text % {"threshold": amount(ledger.low_balance)}, page, action)


def _payments(organization: Organization, now: datetime) -> Iterator[Alert]:
    """The result of the last payment, and why auto-recharge has stopped."""
    last = Payment.objects.of(organization).order_by("-created_at", "-pk").first()
    if last and last.status == Payment.Status.ACTION_REQUIRED:
        text = _("Your bank wants you to confirm a payment of %(total)s.")
        page = f"payments/{last.public_id}/"
        price = {"total": money(last.total, last.currency)}
        yield Alert("payment_to_confirm", Level.WARNING, text % price, page, _("Confirm"))
    elif last and last.status == Payment.Status.FAILED and not last.was_canceled and last.created_at > now - REMEMBERED:
        text = _("The last payment, of %(total)s, failed. Nothing was charged.")
        price = {"total": money(last.total, last.currency)}
        yield Alert("payment_failed", Level.ERROR, text % price, "credits/#cards", _("See the cards"))
    paused = AutoRecharge.objects.of(organization).filter(enabled=True).exclude(paused="").first()
    if paused:
        text = f"{_('Auto-recharge')}: {_(rounds.PAUSED[paused.paused])}"
        yield Alert("auto_recharge_paused", Level.ERROR, text, "credits/auto-recharge/", _("Auto-recharge"))


def _plan(organization: Organization) -> Iterator[Alert]:
    subscription = subscriptions.live(organization)
    if subscription and subscription.status == Subscription.Status.PAST_DUE:
        text = _("The plan %(plan)s could not be renewed: %(price)s credits are needed.")
        facts = {"plan": subscription.plan.name, "price": amount(subscription.price)}
        yield Alert("plan_past_due", Level.ERROR, text % facts, "plan/", _("See the plan"))


def _invoices(organization: Organization) -> Iterator[Alert]:
    late = Invoice.objects.of(organization).filter(state__status="past_due").order_by("due_at")
    if papers := list(late[:2]):
        first, *more = papers
        text = _("Invoice %(number)s is past due.") if not more else _("Invoice %(number)s and others are past due.")
        page = f"invoices/{first.public_id}/" if not more else "invoices/"
        yield Alert("invoice_past_due", Level.ERROR, text % {"number": first.number}, page, _("Pay"))


def _budgets(organization: Organization, now: datetime) -> Iterator[Alert]:
    """Budgets of this month that are spent to 80 % or more, as they were announced."""
    month = billing_zone.of(organization).month_of(now)
    crossed = Spending.objects.filter(account_id=organization.root_id, alerted__gte=NEARLY, month=month)
    spent = {row.subject: row for row in crossed}
    if not spent:
        return
    nodes = Organization.objects.within(organization).filter(pk__in=spent, monthly_budget__isnull=False)
    keys = ApiKey.objects.within(organization).filter(pk__in=spent, monthly_budget__isnull=False)
    subjects: list[tuple[Organization | ApiKey, str]] = [
        *((node, f"organizations/{node.public_id}/") for node in nodes[:SUBJECTS_SHOWN]),
        *((key, _page_of(key)) for key in keys.select_related("organization")[:SUBJECTS_SHOWN]),
    ]
    for subject, page in subjects:
        row = spent[subject.pk]
        facts = {"name": subject.name, "spent": amount(row.spent), "budget": amount(subject.monthly_budget or ZERO)}
        text = _("%(name)s has spent %(spent)s of its %(budget)s credits for this month.") % facts
        level = Level.ERROR if row.alerted == ALL else Level.WARNING
        yield Alert("budget_spent", level, text, page, _("See it"))


def _page_of(key: ApiKey) -> str:
    """It may be a key of an organization beneath."""
    return f"/o/{key.organization.public_id}/keys/{key.public_id}/" if key.organization else ""


def _cards(organization: Organization, now: datetime) -> Iterator[Alert]:
    texts = {
        PaymentMethod.Status.EXPIRING: _("The card ending in %(last4)s expires this month or soon."),
        PaymentMethod.Status.EXPIRED: _("The card ending in %(last4)s has expired."),
        PaymentMethod.Status.DECLINED: _("The bank declined the card ending in %(last4)s. It isn't charged again."),
    }
    for card in PaymentMethod.objects.of(organization).filter(Q(is_default=True) | Q(is_backup=True)):
        if text := texts.get(PaymentMethod.Status(card.status_on(now.date()))):
            facts = {"last4": card.last4}
            yield Alert("card_unusable", Level.WARNING, text % facts, "credits/#cards", _("See the cards"))


def _keys(organization: Organization, now: datetime) -> Iterator[Alert]:
    ending = ApiKey.objects.of(organization).unrevoked().filter(expires_at__gt=now, expires_at__lt=now + EXPIRING)
    if (count := ending.count()) == 1:
        key = ending.get()
        text = _("The API key %(name)s expires in less than 14 days.") % {"name": key.name}
        yield Alert("key_expiring", Level.WARNING, text, f"keys/{key.public_id}/", _("See the key"))
    elif count:
        text = ngettext(
            "%(count)s API key expires in less than 14 days.", "%(count)s API keys expire in less than 14 days.", count
        )
        yield Alert("key_expiring", Level.WARNING, text % {"count": count}, "keys/", _("See the keys"))


def _webhooks(organization: Organization) -> Iterator[Alert]:
    stopped = WebhookEndpoint.objects.of(organization).filter(status=WebhookEndpoint.Status.DISABLED)
    for endpoint in stopped.exclude(disabled_reason=endpoints.MANUALLY)[:SUBJECTS_SHOWN]:
        text = _("The webhook endpoint %(url)s is disabled.") % {"url": endpoint.url}
        yield Alert("webhook_disabled", Level.WARNING, text, f"webhooks/{endpoint.public_id}/", _("See it"))
