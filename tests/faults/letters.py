"""Invitations. The Celery worker sends their emails from the outbox into a folder."""

from collections import Counter
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import emails, tasks
from accounts.lib import broker
from accounts.models import Email, Invitation, User
from tests import factories
from tests.faults.backlog import asking
from tests.faults.running import Running

AT_ONCE = 2  # processes of the Celery worker
NOT_YET = timedelta(hours=1)


class Letters:
    """Invitations whose emails stay in the outbox until `start` is called."""

    def __init__(self, size: int) -> None:
        with transaction.atomic():
            inviter = factories.user("inviter") if size else None
            self.sent = [_invite(inviter) for _ in range(size) if inviter]
            self._waiting().update(next_attempt_at=timezone.now() + NOT_YET)

    def start(self, running: Running) -> None:
        """Lets the worker send them, and waits until the first email has been sent."""
        self._waiting().update(next_attempt_at=timezone.now())
        broker.nudge(emails.TASK)
        running.wait_until(lambda: self.left() < len(self.sent), "the first invitation sent")

    def left(self) -> int:
        return self._waiting().count()

    def _waiting(self) -> QuerySet[Email]:
        return Email.objects.filter(to__in=[invitation.email for invitation in self.sent])

    def finish(self, running: Running) -> list[str]:
        """Waits until the sweep has sent the rest, once the killed workers' leases are over. Returns what is wrong."""
        self._waiting().update(next_attempt_at=timezone.now())
        running.wait_until(asking(tasks.send_emails, lambda: not self.left()), "all invitations sent")
        times = self._times()
        wrong = [f"no email to {invitation.email}" for invitation in self.sent if not times[invitation.email]]
        # If a process was killed after it sent an email but before it noted that, the email is sent again. Only then.
        again = [f"{count} emails to {address}" for address, count in times.items() if count > 1]
        return wrong + (again if len(again) > AT_ONCE or max(times.values(), default=0) > 2 else [])

    def _times(self) -> Counter[str]:
        """How often each of our emails was sent. A file may have several emails; a line of dashes ends each."""
        parts = [part for path in _folder().glob("*.log") for part in path.read_bytes().split(b"-" * 79 + b"\n")]
        letters = [message_from_bytes(part) for part in parts]
        ours = {invitation.email for invitation in self.sent}
        return Counter(letter["To"] for letter in letters if letter["To"] in ours)


def _folder() -> Path:
    return Path(str(settings.EMAIL_FILE_PATH))  # type: ignore[misc]


def _invite(inviter: User) -> Invitation:
    organization = inviter.current_organization
    assert organization
    return factories.invitation(organization, f"{uuid4().hex}@example.com", "viewer", by=inviter)
