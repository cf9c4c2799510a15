"""The outbox: emails are rows that a task sends, so that no page waits for a mail server.

Each email is made from a subject, a text and an HTML template under `templates/emails/`.
"""

import base64
import json
import re
import smtplib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts import copies
from accounts.lib import broker, encryption, languages, texts
from accounts.lib.money import plain
from accounts.models import Email, Membership, Organization, User

PURPOSE = "email"
ATTACHMENTS = "attachments"
TASK = "accounts.tasks.send_emails"
LEASE = timedelta(minutes=2)  # longer than a mail server may take; a killed worker's email waits for it
FIRST_RETRY, SLOWEST_RETRY = timedelta(seconds=5), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)
SERVICE_CLOSING = 421  # the mail server closes the connection, which it may do at any command

Context = Mapping[str, Any]
# Makes the context of an email at the time of sending: from the address and what was queued. None: do not send it.
ContextMaker = Callable[[str, Context], Context | None]

# A name must not turn our email into someone else's advertisement: mail programs make links of these.
_LINK = re.compile(r"\S*(?:://|www\.|mailto:)\S*", re.IGNORECASE)
_DOT_OF_A_DOMAIN = re.compile(r"(?<=\S)[.\u3002\uff0e\uff61](?=[^\W\d_])")

log = structlog.get_logger()


@dataclass(frozen=True)
class Attachment:
    """A file; `content` is its bytes in base64."""

    name: str
    type: str
    content: str


def queue(
    template: str, *, to: str, context: Context, attachments: Sequence[Attachment] = (), language: str = ""
) -> None:
    """An email that goes out after the commit. Attachments are a member of the context that no template shows.

    It is in the language that its recipient chose, or else in `language`, by default the active one.
    """
    queued = {**context, ATTACHMENTS: [asdict(each) for each in attachments]} if attachments else context
    sealed = encryption.encrypt(json.dumps(queued).encode(), purpose=PURPOSE)
    language = language or translation.get_language() or ""
    Email.objects.create(template=template, to=to, context=sealed, language=language)
    broker.nudge(TASK)


def write(
    subject: str,
    body: str,
    page: str = "",
    *,
    to: str,
    facts: Mapping[str, Any] | None = None,
    attachments: Sequence[Attachment] = (),
    organization: Organization | None = None,
) -> None:
    """A plain email in the language of its recipient. Both texts are marked with `gettext_noop` and name facts as
    `%(name)s`. The address of a page stands alone at the end. If nobody here has the address `to`, the email is in
    the language of an owner of the organization.
    """
    with languages.spoken(language_of(to, organization) or translation.get_language() or ""):
        shown = {name: _shown(value) for name, value in (facts or {}).items()}
        parts = (gettext(body) % shown, page)
        context = {"subject": gettext(subject) % shown, "body": "\n\n".join(part for part in parts if part)}
    queue("message", to=to, context=context, attachments=attachments)


def _shown(value: Any) -> str:
    """Datetimes show date and time, in UTC by default. A function formats its own fact."""
    if callable(value):
        return str(value())
    if isinstance(value, Decimal):
        return languages.written(plain(value))
    if isinstance(value, datetime):
        return f"{date_format(value, 'DATETIME_FORMAT')} {value:%Z}"
    return date_format(value, "DATE_FORMAT") if isinstance(value, date) else str(value)


def send_due(makers: Mapping[str, ContextMaker]) -> int:
    """Sends what is due, and returns how many emails went out. `makers` has the templates with a context of their own.

    An email that can't be made, or that the mail server refuses, is postponed, and the others go on. Any other failure
    ends the run: if the mail server is down, the run has waited for it once, and not for every email.
    """
    sent = 0
    if copies.is_copy():
        return sent
    while email := _claim(timezone.now()):
        try:
            sent += _send(email, makers.get(email.template, _as_queued))
        except Exception as error:  # whatever the error is, it must not block the emails after this one forever
            _postpone(email, error)
            if not _concerns_one(error):
                break
        else:
            email.delete()
    return sent


def _concerns_one(error: Exception) -> bool:
    """Whether the error is about this email, and not about the mail server."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code != SERVICE_CLOSING for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
        return error.smtp_code != SERVICE_CLOSING
    return not isinstance(error, OSError)  # every other error of smtplib is one


@transaction.atomic
def _claim(now: datetime) -> Email | None:
    """The next email, leased. No transaction is open while we talk to the mail server."""
    due = Email.objects.select_for_update(skip_locked=True).filter(next_attempt_at__lte=now)
    email = due.order_by("next_attempt_at").first()
    if email:
        email.attempts += 1
        email.next_attempt_at = now + LEASE
        email.save(update_fields=["attempts", "next_attempt_at"])
    return email


def _send(email: Email, make: ContextMaker) -> bool:
    context = make(email.to, json.loads(encryption.decrypt(bytes(email.context), purpose=PURPOSE)))
    if context is None:
        return False
    with languages.spoken(language_of(email.to) or email.language):
        message = _message(email.template, email.to, context)
    message.send()
    return True


def language_of(address: str, organization: Organization | None = None) -> str:
    """The language that the person with this address chose, or else an owner of the organization. Empty if nobody chose
    one.
    """
    people = User.objects.exclude(language="").order_by("pk")
    chosen = people.filter(email=address).values_list("language", flat=True).first()
    if chosen is None and organization:
        owners = Membership.objects.filter(organization=organization, role=Membership.Role.OWNER)
        chosen = people.filter(pk__in=owners.values("user")).values_list("language", flat=True).first()
    return chosen or ""


def _postpone(email: Email, error: Exception) -> None:
    """Tries again after 5, 20, 80 … seconds; at last each hour, for three days."""
    now = timezone.now()
    if given_up := now >= email.created_at + GIVE_UP_AFTER:
        email.delete()
    else:
        email.next_attempt_at = now + min(FIRST_RETRY * 4 ** (min(email.attempts, 9) - 1), SLOWEST_RETRY)
        email.save(update_fields=["next_attempt_at"])
    log.error(
        "email not sent",
        email=str(email.pk),
        template=email.template,
        attempts=email.attempts,
        given_up=given_up,
        error=f"{type(error).__name__}: {error}",
    )


def _as_queued(to: str, context: Context) -> Context:
    return context


def _message(template: str, to: str, context: Context) -> EmailMultiAlternatives:
    """Text and HTML have the same footer, which says who runs this installation, and where."""
    shown = {**context, "installation": _installation()}

    def render(part: str) -> str:
        return render_to_string(f"emails/{template}{part}", shown)

    subject = " ".join(render(".subject.txt").split())
    shown["title"] = subject
    message = EmailMultiAlternatives(
        subject=subject,
        body=f"{render('.txt').rstrip()}\n\n{render_to_string('emails/footer.txt', shown)}",
        to=[to],
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render(".html"), "text/html")
    for each in context.get(ATTACHMENTS, ()):
        message.attach(each["name"], base64.b64decode(each["content"]), each["type"])
    return message


def _installation() -> dict[str, str]:
    seller = settings.SELLER
    place = " ".join(part for part in (seller["postal_code"], seller["city"]) if part)
    parts = (seller["line1"], seller["line2"], place, seller["country"])
    return {"name": seller["name"], "address": ", ".join(part for part in parts if part), "url": settings.BASE_URL}


def plain_name(name: str) -> str:
    """A person's or an organization's name for an email: one line, without links and without direction marks.

    A link becomes `…`. A dot within a domain becomes U+2024, which looks the same and makes no link.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    name = "".join(
        letter for letter in name if letter in texts.JOINERS or unicodedata.category(letter) not in ("Cf", "Cc")
    )
    return _DOT_OF_A_DOMAIN.sub("\u2024", _LINK.sub("…", name))
