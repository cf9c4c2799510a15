"""The people of an organization: roles, invitations, and what happens to the keys of people who leave.

It is here and not in `accounts`, since a member who is removed leaves API keys behind.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts import invitations, members, scopes
from accounts.access import require
from accounts.lib import spreadsheets, texts
from accounts.lib.attachments import attachment
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import Conflict, Problem
from accounts.models import Invitation, Membership, Organization, ServiceAccount
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys import departures
from apikeys.models import ApiKey

SHOWN = 200
ROLES = Membership.Role.choices


class InviteForm(forms.Form):
    email = forms.EmailField(max_length=250, label=gettext_lazy("Email"))
    role = forms.ChoiceField(initial="viewer", label=gettext_lazy("Role"))

    def __init__(self, data: Any = None, *, held: frozenset[str]) -> None:
        super().__init__(data)
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)
        role.choices = grantable(held)

    def clean_email(self) -> str:
        email: str = get_adapter().clean_email(self.cleaned_data["email"])
        return email


def grantable(held: frozenset[str]) -> list[tuple[str, str]]:
    """The roles that someone with these scopes may give."""
    return [(role, translated(label)) for role, label in ROLES if scopes.BY_ROLE[role] <= held]


class PeopleMixin(OrganizationMixin):
    section = "people"

    def to_people(self) -> HttpResponse:
        return redirect("apikeys:people", self.organization.public_id)

    def member(self) -> Membership:
        membership = members.of(self.organization).filter(user_id=self.kwargs["member"]).first()
        if membership is None:
            raise Http404
        return membership

    def invitation(self) -> Invitation:
        own = Invitation.objects.of(self.organization).filter(pk=self.kwargs["invitation"])
        invitation = own.select_related("organization").first()
        if invitation is None:
            raise Http404
        return invitation


class PeopleView(PeopleMixin):
    """The list of people and of open invitations, and the form that invites."""

    scopes = {"get": "members:read", "post": "members:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if request.GET.get("format") == "csv":
            if request.GET.get("list") == "invitations":
                return attachment(_invited(self._invited()), "invitations", "csv")
            return attachment(_table(self._shown()), "people", "csv")
        return self._page(InviteForm(held=self.credential.scopes))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = InviteForm(request.POST, held=self.credential.scopes)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            invitation = invitations.invite(self.organization, by=self.credential, **form.cleaned_data)
        except Problem as problem:
            refuse(form, problem)
            return self._page(form, status=400)
        return sent(self, invitation, status=201)

    def _page(self, form: InviteForm, status: int = 200) -> HttpResponse:
        invitations = self._invited()
        context = self.get_context_data(
            form=form,
            search=self._search(),
            members=[(row, self._choices(row)) for row in self._shown()[:SHOWN]],
            count=members.of(self.organization).count(),
            invitations=invitations[:SHOWN],
            invited=invitations.count(),
            may_write=self.may("members:write"),
            now=timezone.now(),
        )
        return render(self.request, "accounts/people/people.html", context, status=status)

    def _search(self) -> str:
        return texts.typed(self.request.GET.get("q", ""))

    def _invited(self) -> QuerySet[Invitation]:
        """The open invitations with `q` in their address."""
        rows = Invitation.objects.of(self.organization).open().filter(email__icontains=self._search())
        return rows.select_related("invited_by").order_by("-created_at")

    def _shown(self) -> QuerySet[Membership]:
        """Those with `q` in their name or address."""
        search = self._search()
        named = Q(user__email__icontains=search) | Q(user__name__icontains=search)
        return members.of(self.organization).filter(named) if search else members.of(self.organization)

    def _choices(self, membership: Membership) -> list[tuple[str, str]]:
        """The roles that this person may give the member; none if they may not change it."""
        inherited = membership.organization_id != self.organization.pk
        above = scopes.BY_ROLE[membership.role] - self.credential.scopes
        return [] if inherited or above or not self.may("members:write") else grantable(self.credential.scopes)


class RoleView(PeopleMixin):
    scopes = {"post": "members:write"}

    def post(self, request: HttpRequest, organization: str, member: int) -> HttpResponse:
        membership, role = self.member(), request.POST.get("role", "")
        if role not in dict(ROLES):
            raise Http404
        try:
            members.change_role(self.organization, member, role=role, by=self.credential)
        except Conflict as problem:
            messages.error(request, sentence(problem))
            return self.to_people()
        facts = {"email": membership.user.email, "role": translated(dict(ROLES)[role])}
        messages.success(request, gettext("%(email)s has the role %(role)s now.") % facts)
        return self.to_people()


class RemoveView(PeopleMixin):
    """Removing a member, or leaving, with the keys that are left behind."""

    scopes = {"get": "members:read", "post": "members:read"}

    def get(self, request: HttpRequest, organization: str, member: int) -> HttpResponse:
        membership = self.member()
        if member != self.person.pk:
            require(self.credential, "members:write")
        made = ApiKey.objects.within(self.organization).unrevoked().filter(created_by=member)
        theirs = ServiceAccount.objects.within(self.organization).living().filter(responsible=member)
        context = self.get_context_data(
            member=membership,
            leaving=member == self.person.pk,
            is_last_owner=members.is_last_owner(membership),
            keys=made.select_related("organization")[:SHOWN],
            service_accounts=theirs.select_related("user"),
        )
        return render(request, "accounts/people/remove.html", context)

    def post(self, request: HttpRequest, organization: str, member: int) -> HttpResponse:
        membership = self.member()
        hand_over = request.POST.get("api_keys") == "hand_over"
        try:
            keys = departures.remove_member(self.organization, member, by=self.credential, hand_over=hand_over)
        except Conflict as problem:
            messages.error(request, sentence(problem))
            return self.to_people()
        messages.success(request, _removed(membership.user.email, len(keys), hand_over))
        still_sees = Organization.objects.visible_to(self.person).filter(pk=self.organization.pk).exists()
        return self.to_people() if still_sees else redirect("organizations")


def _removed(email: str, keys: int, hand_over: bool) -> str:
    text = gettext("%(email)s is no longer a member.") % {"email": email}
    if not keys:
        return text
    if hand_over:
        became = ngettext("%(count)s of their keys is yours now.", "%(count)s of their keys are yours now.", keys)
    else:
        became = ngettext("%(count)s of their keys is revoked.", "%(count)s of their keys are revoked.", keys)
    return f"{text} {became % {'count': keys}}"


class ResendView(PeopleMixin):
    scopes = {"post": "members:write"}

    def post(self, request: HttpRequest, organization: str, invitation: str) -> HttpResponse:
        return sent(self, invitations.resend(self.invitation(), by=self.credential))


class RevokeInvitationView(PeopleMixin):
    """Asks first: the link that was sent stops working."""

    scopes = {"get": "members:write", "post": "members:write"}

    def get(self, request: HttpRequest, organization: str, invitation: str) -> HttpResponse:
        context = self.get_context_data(invitation=self.invitation())
        return render(request, "accounts/people/revoke_invitation.html", context)

    def post(self, request: HttpRequest, organization: str, invitation: str) -> HttpResponse:
        row = self.invitation()
        invitations.revoke(row, by=self.credential)
        messages.success(request, gettext("The invitation of %(email)s is revoked.") % {"email": row.email})
        return self.to_people()


def sent(view: PeopleMixin, invitation: Invitation, status: int = 200) -> HttpResponse:
    """The page with the link of the invitation, which only this response shows."""
    context = view.get_context_data(invitation=invitation, link=invitations.accept_url(invitation))
    response = render(view.request, "accounts/people/invited.html", context, status=status)
    add_never_cache_headers(response)
    return response


def _table(rows: QuerySet[Membership]) -> bytes:
    return spreadsheets.csv_of(
        ("name", "email", "role", "organization", "since"),
        (
            (row.user.name, row.user.email, row.role, row.organization.public_id, row.created_at.isoformat())
            for row in rows
        ),
    )


def _invited(rows: QuerySet[Invitation]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "email", "role", "created_at", "expires_at"),
        ((row.public_id, row.email, row.role, row.created_at.isoformat(), row.expires_at.isoformat()) for row in rows),
    )
