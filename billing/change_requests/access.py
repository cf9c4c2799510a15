from datetime import datetime

from django.utils.translation import gettext, gettext_noop

from accounts import tree
from accounts.credentials import Credential, Kind
from accounts.lib.problems import NotFound
from accounts.models import Organization
from apikeys.models import ApiKey
from billing import closing
from billing.change_requests.action import Action, Figures, Params


def operator(actor: str) -> Credential:
    """The credential of an operator, who administers every organization."""
    administer = frozenset({tree.ADMINISTER})
    return Credential(Kind.PLATFORM_KEY, actor, None, None, "UTC", administer, administer)


class OfNode(Action):
    """An action on any organization of a tree."""

    def load(self, subject: str) -> Organization:
        organization = Organization.objects.filter(public_id=subject).first()
        if organization is None:
            raise NotFound("There is no such organization.")
        return organization

    def organization(self, row: Organization) -> Organization:
        return row

    def figures(self, row: Organization, now: datetime) -> Figures:
        tree_of = Organization.objects.within(row)
        keys = ApiKey.objects.filter(organization__in=tree_of.operational()).with_status("active", now)
        return {
            "Status": Organization.objects.get(pk=row.pk).get_status_display(),
            gettext_noop("Organizations that work"): str(tree_of.operational().count()),
            gettext_noop("Keys that are accepted"): str(keys.count()),
        }


class Suspend(OfNode):
    kind = "suspend"

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        tree.suspend(row, by=operator(actor), reason=reason)
        return gettext("Suspended. The next request is refused.")


class Resume(OfNode):
    kind = "resume"

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        tree.resume(row, by=operator(actor))
        return gettext("Resumed.")


class Close(OfNode):
    kind = "close"

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        closing.close(row, by=operator(actor), now=now)
        return gettext("Closed for good.")
