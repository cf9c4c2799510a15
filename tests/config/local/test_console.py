"""Emails on the console of `make run`."""

from io import StringIO

from django.core.mail import EmailMessage

from config.local.console import EmailBackend


def test_a_pdf_is_named_and_not_printed() -> None:
    stream = StringIO()
    email = EmailMessage("Invoice INV-1", "Thank you.", to=["a@example.com"])
    email.attach("INV-1.pdf", b"%PDF" + bytes(5000), "application/pdf")
    EmailBackend(stream=stream).send_messages([email])
    printed = stream.getvalue()
    for line in ("To: a@example.com", "Subject: Invoice INV-1", "Attached: INV-1.pdf", "Thank you."):
        assert line in printed.splitlines()
    assert len(printed.splitlines()) < 10
