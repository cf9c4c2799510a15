"""The organizations of a tree: what each spent this month; making, moving, limiting, suspending and resuming them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts import naming, people, tree
from accounts.credentials import Credential
from accounts.lib import spreadsheets, texts
from accounts.lib.addresses import client_address
from accounts.lib.attachments import attachment
from accounts.lib.money import LARGEST, ZERO, NumberFormField
from accounts.lib.problems import Problem
from accounts.models import Organization
from accounts.models.organizations import OrganizationQuerySet
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys.models import ApiKey
from billing import clock, closing, organizations
from billing.ledger import billing_zone, budgets
from billing.models import Spending

SHOWN = 500


@dataclass(frozen=True)
class Node:
    """`share` is what was spent of the budget, in per cent, at most 100; None without a budget."""

    organization: Organization
    depth: int
    spent: Decimal
    share: Decimal | None


class ChildForm(forms.Form):
    name = forms.CharField(max_length=100, label=gettext_lazy("Name of the new organization"))


class BudgetForm(forms.Form):
    monthly_budget = NumberFormField(
        label=gettext_lazy("Monthly budget"),
        required=False,
        min_value=ZERO,
        max_value=LARGEST,
        help_text=gettext_lazy(
            "Credits that it and everything beneath it may spend in a calendar month. Empty for no budget."
        ),
    )


class SuspendForm(forms.Form):
    reason = forms.CharField(required=False, max_length=500, label=gettext_lazy("Reason"))


class MoveForm(forms.Form):
    parent = forms.ModelChoiceField(
        Organization.objects.none(),
        to_field_name="public_id",
        label=gettext_lazy("New parent"),
        empty_label=gettext_lazy("Choose an organization"),
    )

    def __init__(self, data: Any = None, *, node: Organization, among: OrganizationQuerySet) -> None:
        super().__init__(data)
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ModelChoiceField)
        beneath = Organization.objects.within(node)
        parent.queryset = among.filter(root_id=node.root_id).exclude(pk__in=beneath).order_by("name", "pk")


class TreeMixin(OrganizationMixin):
    section = "tree"

    def node(self) -> Organization:
        """The organization that the address names: this one or one beneath it."""
        beneath = Organization.objects.within(self.organization).select_related("root", "parent")
        address = client_address(self.request)
        return naming.named(self.credential, address, beneath, public_id=self.kwargs["node"])

    def page(self, node: Organization, status: int = 200, **shown: forms.Form) -> HttpResponse:
        """The page of a node; `shown` are forms that were refused."""
        state = budgets.of(node, clock.now(node))
        visible = naming.visible_to(self.credential)
        keys = ApiKey.objects.within(node).unrevoked()
        context = self.get_context_data(
            node=node,
            state=state,
            keys_in_use=keys.count(),
            last_used_at=keys.aggregate(last=Max("last_used_at"))["last"],
            is_child=not node.is_root,
            budget_form=BudgetForm(initial={"monthly_budget": state.monthly_budget}),
            move_form=MoveForm(node=node, among=visible),
            suspend_form=SuspendForm(),
            administers=self._is_allowed(tree.check_administers, node),
            may_close=node.status != Organization.Status.CLOSED and self._is_allowed(closing.check_may_close, node),
        )
        return render(self.request, "billing/tree/node.html", {**context, **shown}, status=status)

    def to_node(self, node: Organization, message: str) -> HttpResponse:
        messages.success(self.request, message)
        return redirect("billing:node", self.organization.public_id, node.public_id)

    def _is_allowed(self, check: Callable[[Organization, Credential], None], node: Organization) -> bool:
        try:
            check(node, self.credential)
        except Problem:
            return False
        return True


class TreeView(TreeMixin):
    scopes = {"get": "account:read", "post": "account:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if request.GET.get("format") == "csv":
            now = clock.now(self.organization)
            return attachment(_table(self._nodes(now)), "organizations", "csv")
        return self._list(ChildForm())

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = ChildForm(request.POST)
        if not form.is_valid():
            return self._list(form, status=400)
        try:
            child = people.add_child(self.organization, name=form.cleaned_data["name"])
        except Problem as problem:
            refuse(form, problem)
            return self._list(form, status=400)
        messages.success(
            request,
            gettext("%(name)s was created beneath %(parent)s.")
            % {"name": child.name, "parent": self.organization.name},
        )
        return redirect("billing:tree", organization)

    def _list(self, form: ChildForm, status: int = 200) -> HttpResponse:
        now = clock.now(self.organization)
        beneath = Organization.objects.within(self.organization)
        context = self.get_context_data(
            form=form,
            nodes=self._nodes(now),
            search=self._search(),
            count=beneath.count(),
            month=billing_zone.of(self.organization).month_of(now),
            may_write=self.may("account:write"),
        )
        return render(self.request, "billing/tree/tree.html", context, status=status)

    def _search(self) -> str:
        return texts.typed(self.request.GET.get("q", ""))

    def _nodes(self, now: datetime) -> list[Node]:
        """In the order of the tree, children by name; those with `q` in their name or as their id."""
        beneath, text = Organization.objects.within(self.organization).select_related("parent"), self._search()
        named = Q(name__icontains=text) | Q(public_id=text) | Q(auth_id=text)
        shown = beneath.filter(named) if text else beneath
        rows = {row.pk: row for row in shown.order_by("created_at", "pk")[:SHOWN]}
        month = billing_zone.of(self.organization).month_of(now)
        spending = Spending.objects.filter(account_id=self.organization.root_id, subject__in=rows, month=month)
        spent = dict(spending.values_list("subject", "spent"))
        above = len(self.organization.path)
        ordered = sorted(rows.values(), key=lambda row: [(rows[pk].name, pk) for pk in row.path if pk in rows])
        return [
            Node(row, len(row.path) - above, used := spent.get(row.pk, ZERO), _share(used, row.monthly_budget))
            for row in ordered
        ]


def _table(nodes: list[Node]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "name", "parent", "status", "spent", "monthly_budget"),
        (
            [
                *(node.organization.public_id, node.organization.name),
                *(node.organization.parent.public_id if node.organization.parent else None, node.organization.status),
                *(node.spent, node.organization.monthly_budget),
            ]
            for node in nodes
        ),
    )


def _share(spent: Decimal, budget: Decimal | None) -> Decimal | None:
    if budget is None:
        return None
    return min(100 * spent / budget, Decimal(100)) if budget else Decimal(100)


class NodeView(TreeMixin):
    scopes = {"get": "account:read"}

    def get(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        return self.page(self.node())


class NodeBudgetView(TreeMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row, form = self.node(), BudgetForm(request.POST)
        tree.check_administers(row, self.credential)
        if not form.is_valid():
            return self.page(row, 400, budget_form=form)
        budget = form.cleaned_data["monthly_budget"]
        budgets.limit(row, budget, now=clock.now(row))
        return self.to_node(
            row, gettext("The budget is saved.") if budget is not None else gettext("There is no budget any more.")
        )


class MoveView(TreeMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row = self.node()
        form = MoveForm(request.POST, node=row, among=naming.visible_to(self.credential))
        if not form.is_valid():
            return self.page(row, 400, move_form=form)
        parent, address = form.cleaned_data["parent"], client_address(request)
        try:
            organizations.move(row, parent=parent.public_id, by=self.credential, address=address, now=clock.now(row))
        except Problem as problem:
            refuse(form, problem)
            return self.page(row, 400, move_form=form)
        messages.success(
            request, gettext("%(name)s is beneath %(parent)s now.") % {"name": row.name, "parent": parent.name}
        )
        return redirect("billing:tree", organization)


class SuspendView(TreeMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row, form = self.node(), SuspendForm(request.POST)
        tree.check_administers(row, self.credential)
        if not form.is_valid():
            return self.page(row, 400, suspend_form=form)
        tree.suspend(row, by=self.credential, reason=form.cleaned_data["reason"])
        return self.to_node(row, gettext("%(name)s is suspended, with everything beneath it.") % {"name": row.name})


class ResumeView(TreeMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row = self.node()
        tree.resume(row, by=self.credential)
        return self.to_node(row, gettext("%(name)s works again.") % {"name": row.name})
