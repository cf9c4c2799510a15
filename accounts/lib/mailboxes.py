"""Email addresses in the one form in which they are stored and compared, so that a mailbox has at most one account."""

import unicodedata

import idna

LONGEST = 250


def normalize(email: str) -> str:
    """The address in lower case, its domain in ASCII. `ValueError` if the domain has no ASCII form.

    This is the only place that decides when two addresses are the same. PostgreSQL's `lower()` knows other letters
    than Python's, so no statement compares with it.
    """
    local, at, name = email.strip().rpartition("@")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower()) + at + domain(name)


def domain(text: str) -> str:
    """A domain in lower case and in ASCII: `xn--bcher-kva.example` for `Bücher.example`. `ValueError` if none."""
    return idna.encode(text.strip().lower(), uts46=True).decode()
