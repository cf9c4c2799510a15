"""The emails that people get, each from a subject, a text and an HTML template under `templates/emails/`."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.models import Invitation

# A name must not turn our email into someone else's advertisement: mail programs make links of these.
_LINK = re.compile(r"\S*(?:://|www\.)\S*", re.IGNORECASE)


def send_invitation(invitation: Invitation, accept_url: str) -> None:
    """Raises what Django's mail backend raises when it can't send."""
    inviter = invitation.invited_by
    context = {
        "organization": without_links(invitation.organization.name),
        "inviter": without_links(inviter.get_full_name()) if inviter else "",
        "email": invitation.email,
        "role": invitation.role,
        "expires_at": invitation.expires_at,
        "accept_url": accept_url,
    }
    send("invitation", to=invitation.email, context=context)


def without_links(name: str) -> str:
    """A name on one line, with … for what a mail program would make a link of."""
    return " ".join(_LINK.sub("…", name).split())


def send(template: str, *, to: str, context: Mapping[str, Any]) -> None:
    """One email to one address."""

    def render(part: str) -> str:
        return render_to_string(f"emails/{template}{part}", dict(context))

    message = EmailMultiAlternatives(
        subject=" ".join(render(".subject.txt").split()),
        body=render(".txt"),
        to=[to],
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render(".html"), "text/html")
    message.send()
