"""The page of a customer, with everything on it, and the search that leads there."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import visits
from accounts.models import OperatorNote, Organization, User
from accounts.pages.visits import IN_SESSION
from billing import balance, clock
from billing.payments import recharge
from billing.templatetags.money import money
from usage.admin import lookup, sections
from usage.admin.sections.table import Customer

NOTES_SHOWN = 50
ACTIONS = (
    ("adjust", gettext_lazy("Adjust the balance")),
    ("grant", gettext_lazy("Grant credits")),
    ("credit_limit", gettext_lazy("Set the credit limit")),
    ("suspend", gettext_lazy("Suspend")),
    ("resume", gettext_lazy("Resume")),
)


class NoteForm(forms.Form):
    text = forms.CharField(
        max_length=4000,
        label=gettext_lazy("A note for operators"),
        widget=forms.Textarea(attrs={"rows": 3}),
        strip=True,
    )


def search(request: HttpRequest) -> HttpResponse:
    """Goes to the customer that was found, or lists them if there are several."""
    require(request, "accounts.view_organization")
    term = request.GET.get("q", "").strip()[:200]
    hits = lookup.find(term, request.user.has_perm)
    customers = {hit.customer.pk: hit.customer for hit in hits}
    if len(customers) == 1:
        return redirect("admin:customer", next(iter(customers.values())).public_id)
    context = {**admin.site.each_context(request), "title": _("Customers"), "term": term, "hits": hits}
    return render(request, "admin/desk/search.html", context)


def customer(request: HttpRequest, organization: str) -> HttpResponse:
    require(request, "accounts.view_organization")
    row = _organization(organization)
    if not row.is_root:
        return redirect("admin:customer", row.root.public_id)
    return render(request, "admin/desk/customer.html", _context(request, row, NoteForm()))


def note(request: HttpRequest, organization: str) -> HttpResponse:
    """Save a note. It is in the admin's history, and the customer never sees it."""
    require(request, "accounts.view_organization")  # a note that is refused shows the customer's page
    require(request, "accounts.add_operatornote")
    row, form = _organization(organization).root, NoteForm(request.POST)
    if request.method != "POST":
        return redirect("admin:customer", row.public_id)
    if not form.is_valid():
        return render(request, "admin/desk/customer.html", _context(request, row, form), status=400)
    with transaction.atomic():
        OperatorNote.objects.create(
            organization=row, author=_operator(request), text=form.cleaned_data["text"], created_at=timezone.now()
        )
        LogEntry.objects.log_actions(_operator(request).pk, [row], CHANGE, "A note was added.", single_object=True)
    messages.success(request, _("The note is kept."))
    return redirect("admin:customer", row.public_id)


class VisitForm(forms.Form):
    reason = forms.CharField(
        min_length=10,
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The customer reads it: among the events, and on the overview."),
    )


def visit(request: HttpRequest, organization: str) -> HttpResponse:
    """Asks for a reason, and then leads to the customer's overview, where the operator can look around for up to an
    hour.
    """
    require(request, visits.PERMISSION)
    row, form = _organization(organization).root, VisitForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        title = _("Visit %(customer)s") % {"customer": row.name}
        context = {**admin.site.each_context(request), "title": title, "customer": row, "form": form}
        return render(request, "admin/desk/visit.html", context)
    reason, now = form.cleaned_data["reason"], timezone.now()
    with transaction.atomic():
        begun = visits.start(row, operator=_operator(request), reason=reason, now=now)
        message = f"Visited. Reason: {reason}"
        LogEntry.objects.log_actions(_operator(request).pk, [row], CHANGE, message, single_object=True)
    request.session[IN_SESSION] = str(begun.pk)
    return redirect("usage:overview", row.public_id)


def require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _organization(public_id: str) -> Organization:
    row = Organization.objects.select_related("root").filter(public_id=public_id).first()
    if row is None:
        raise Http404
    return row


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _context(request: HttpRequest, root: Organization, form: NoteForm) -> dict[str, Any]:
    now = clock.now(root)
    who = Customer(root, request, now)
    may_read_notes = who.may("accounts.view_operatornote")
    notes = OperatorNote.objects.of(root).select_related("author").order_by("-id")
    return {
        **admin.site.each_context(request),
        "title": root.name,
        "subtitle": root.public_id,
        "customer": root,
        "facts": _facts(who),
        "money": _money(who) if who.may("billing.view_ledgeraccount") else None,
        "recharge": recharge.assess(root, now) if who.may("billing.view_autorecharge") else None,
        "actions": _actions(who),
        "notes": notes[:NOTES_SHOWN] if may_read_notes else None,
        "note_form": form if who.may("accounts.add_operatornote") else None,
        "sections": list(sections.of(who)),
    }


def _facts(who: Customer) -> list[tuple[str, str, str]]:
    """Facts about the customer: a name, a value, and where it can be changed."""
    root, account = who.root, getattr(who.root, "billing_account", None)
    facts = [
        (_("Status"), root.get_status_display(), ""),
        (_("Auth id"), root.auth_id, ""),
        (_("Time zone"), root.timezone, who.page(root)),
        (_("Since"), f"{root.created_at:%Y-%m-%d}", ""),
    ]
    if account and who.may("billing.view_billingaccount"):
        facts += [
            (_("Payer"), f"{account.name}, {account.email}", who.page(account)),
            (_("Payer's id"), account.public_id, who.page(account)),
            (
                _("Billed"),
                f"{account.get_billing_mode_display()}, {account.country}, {account.currency or _('no currency')}",
                "",
            ),
        ]
    return facts


def _money(who: Customer) -> list[tuple[str, str]]:
    current = balance.of(who.root, who.now)
    named = {
        _("Available"): current.available,
        _("Balance"): current.balance,
        _("Reserved"): current.reserved,
        _("Credit limit"): current.credit_limit,
    }
    return [(name, money(figure, current.currency)) for name, figure in named.items()]


def _actions(who: Customer) -> list[tuple[str, str]]:
    hidden = "resume" if who.root.status == Organization.Status.ACTIVE else "suspend"
    links = [
        link for kind, label in ACTIONS if kind != hidden for link in who.action(kind, who.root.public_id, str(label))
    ]
    if who.may(visits.PERMISSION):
        links.append((_("Visit"), reverse("admin:customer-visit", args=[who.root.public_id])))
    if who.may("accounts.change_organization"):
        links.append((_("Change"), who.page(who.root)))
    if who.may("accounts.view_organization"):
        links.append((_("History"), reverse("admin:accounts_organization_history", args=[who.root.pk])))
    return links
