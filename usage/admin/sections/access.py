"""Who a customer is, and what happened: people, the tree, keys, endpoints, events, operators' visits."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from accounts.lib.languages import translated
from accounts.models import Event, Invitation, Membership, Organization, Visit, WebhookEndpoint
from apikeys.models import ApiKey
from billing.ledger import billing_zone
from billing.models import Spending
from usage.admin.sections.table import SHOWN, Cell, Customer, Section, moment, number

TREE_SHOWN = 100


def people(customer: Customer) -> Section:
    beneath = Organization.objects.within(customer.root)
    members = Membership.objects.filter(organization__in=beneath).select_related("user", "organization")
    rows = [
        [
            Cell(row.user.email, customer.page(row.user)),
            Cell(row.user.name),
            Cell(row.get_role_display()),
            Cell(row.organization.name),
            Cell(_("active") if row.user.is_active else _("inactive"), kind="" if row.user.is_active else "bad"),
            moment(row.user.last_login),
        ]
        for row in members.order_by("created_at")[:TREE_SHOWN]
    ]
    invited = Invitation.objects.filter(organization__in=beneath).pending(customer.now).select_related("organization")
    rows += [
        [
            Cell(row.email, customer.page(row)),
            Cell(""),
            Cell(row.get_role_display()),
            Cell(row.organization.name),
            Cell(_("invited")),
            Cell("–"),
        ]
        for row in invited[:SHOWN]
    ]
    return Section(
        _("People"), [_("Email"), _("Name"), _("Role"), _("Organization"), _("Status"), _("Last sign-in")], rows
    )


def tree(customer: Customer) -> Section:
    nodes = {
        row.pk: row for row in Organization.objects.within(customer.root).order_by("created_at", "pk")[:TREE_SHOWN]
    }
    month = billing_zone.of(customer.root).month_of(customer.now)
    spending = Spending.objects.filter(account_id=customer.root.pk, subject__in=nodes, month=month)
    spent = dict(spending.values_list("subject", "spent"))
    ordered = sorted(nodes.values(), key=lambda row: [(nodes[pk].name, pk) for pk in row.path if pk in nodes])
    rows = [
        [
            Cell(row.name, customer.page(row), indent="\u2003" * (len(row.path) - 1)),
            Cell(row.public_id, kind="id"),
            Cell(row.get_status_display(), kind="" if row.status == "active" else "bad"),
            number(spent.get(row.pk, 0)),
            number(row.monthly_budget),
            Cell("", actions=_of_node(customer, row)),
        ]
        for row in ordered
    ]
    columns = [_("Organization"), _("Id"), _("Status"), _("Spent this month"), _("Budget"), _("Actions")]
    return Section(_("Tree"), columns, rows)


def _of_node(customer: Customer, row: Organization) -> list[tuple[str, str]]:
    if row.status == Organization.Status.ACTIVE:
        return customer.action("suspend", row.public_id, _("Suspend"))
    return customer.action("resume", row.public_id, _("Resume")) if row.status == Organization.Status.SUSPENDED else []


def keys(customer: Customer) -> Section:
    keys = ApiKey.objects.within(customer.root).select_related("organization").prefetch_related("secrets")
    rows = [
        [
            Cell(row.name, customer.page(row)),
            Cell(row.public_id, kind="id"),
            Cell(", ".join(secret.hint for secret in row.secrets.all()), kind="id"),
            Cell(row.organization.name if row.organization else ""),
            Cell(translated(row.status(customer.now).capitalize())),
            moment(row.last_used_at),
        ]
        for row in keys.order_by("revoked_at", "-created_at")[: 2 * SHOWN]
    ]
    columns = [_("Key"), _("Id"), _("Secret"), _("Organization"), _("Status"), _("Last used")]
    return Section(_("API keys"), columns, rows, customer.list(ApiKey))


def webhooks(customer: Customer) -> Section:
    endpoints = WebhookEndpoint.objects.filter(organization__in=Organization.objects.within(customer.root))
    rows = [
        [
            Cell(row.url, customer.page(row)),
            Cell(row.get_status_display(), kind="" if row.status == "enabled" else "bad"),
            number(row.failures),
            moment(row.next_attempt_at),
        ]
        for row in endpoints.exclude(status="deleted").order_by("-id")[:SHOWN]
    ]
    columns = [_("Endpoint"), _("Status"), _("Failures"), _("Next attempt")]
    return Section(_("Webhooks"), columns, rows, customer.list(WebhookEndpoint))


def events(customer: Customer) -> Section:
    events: Iterable[Event] = Event.objects.within(customer.root).select_related("organization").order_by("-id")
    rows = [
        [
            Cell(row.type, customer.page(row)),
            Cell(row.organization.name),
            Cell(" ".join(str(part) for part in (row.actor or {}).values() if part)),
            moment(row.created_at),
        ]
        for row in events[: 2 * SHOWN]  # type: ignore[index]
    ]
    return Section(_("Events"), [_("Event"), _("Organization"), _("By"), _("At")], rows, customer.list(Event))


def visits(customer: Customer) -> Section:
    visits = Visit.objects.of(customer.root).select_related("operator").order_by("-id")
    rows = [
        [
            Cell(row.operator.email),
            Cell(row.reason),
            moment(row.started_at),
            moment(row.ended_at or row.expires_at),
        ]
        for row in visits[:SHOWN]
    ]
    return Section(_("Visits"), [_("Operator"), _("Reason"), _("From"), _("Until")], rows)
