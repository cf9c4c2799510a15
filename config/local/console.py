"""Emails on the console of `make run`: whom they are for, and their text. Attachments are named, not printed."""

from django.core.mail import EmailMessage
from django.core.mail.backends import console


class EmailBackend(console.EmailBackend):
    def write_message(self, message: EmailMessage) -> None:
        names = "".join(f"Attached: {attachment[0]}\n" for attachment in message.attachments)
        self.stream.write(
            f"To: {', '.join(message.to)}\nSubject: {message.subject}\n{names}\n{message.body}\n{'-' * 79}\n"
        )
