"""Invitations whose emails the Celery worker sends, into a folder."""

from collections import Counter
from email import message_from_bytes
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts import invitations, scopes, tasks
from accounts.credentials import Credential, Kind
from accounts.models import Invitation, User
from tests import factories
from tests.faults.backlog import LONG_AGO, asking
from tests.faults.running import Running

AT_ONCE = 2  # processes of the Celery worker


class Letters:
    """Invitations as of some minutes ago, so that the sweep looks after them as well."""

    def __init__(self, size: int) -> None:
        inviter = factories.user("inviter") if size else None
        self.sent = [_invite(inviter) for _ in range(size) if inviter]

    def start(self, running: Running) -> None:
        """Returns while they are being sent."""
        with transaction.atomic():
            for invitation in self.sent:
                tasks.nudge(tasks.send_invitation, str(invitation.pk))
        running.wait_until(lambda: self.left() < len(self.sent), "the first invitation sent")

    def left(self) -> int:
        return Invitation.objects.filter(pk__in=[invitation.pk for invitation in self.sent], sent_at=None).count()

    def finish(self, running: Running) -> list[str]:
        """The sweep sends what is left, once the leases of those who were killed are over; what is wrong then."""
        cache.delete_many([f"invitation:{bytes(invitation.digest).hex()}" for invitation in self.sent])
        running.wait_until(asking(tasks.send_unsent_invitations, lambda: not self.left()), "all invitations sent")
        times = self._times()
        wrong = [f"no email to {invitation.email}" for invitation in self.sent if not times[invitation.email]]
        # An email that went out at the moment of death, before that could be noted, goes out again; no others do.
        again = [f"{count} emails to {address}" for address, count in times.items() if count > 1]
        return wrong + (again if len(again) > AT_ONCE or max(times.values(), default=0) > 2 else [])

    def _times(self) -> Counter[str]:
        """How often each of ours went out; a file may have several, which a line of dashes ends."""
        parts = [part for path in _folder().glob("*.log") for part in path.read_bytes().split(b"-" * 79 + b"\n")]
        letters = [message_from_bytes(part) for part in parts]
        ours = {invitation.email for invitation in self.sent}
        return Counter(letter["To"] for letter in letters if letter["To"] in ours)


def _folder() -> Path:
    return Path(str(settings.EMAIL_FILE_PATH))  # type: ignore[misc]


def _invite(inviter: User) -> Invitation:
    organization, owner = inviter.current_organization, scopes.BY_ROLE["owner"]
    assert organization
    by = Credential(Kind.TOKEN, f"user:{inviter.pk}", inviter, organization, "UTC", cap=owner, held=owner)
    invitation = invitations.invite(organization, email=f"{uuid4().hex}@example.com", role="viewer", by=by)
    invitations._renew(invitation, timezone.now() - LONG_AGO)
    invitation.save()
    return invitation
