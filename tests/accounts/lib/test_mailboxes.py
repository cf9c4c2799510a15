"""One mailbox, one form."""

import pytest

from accounts.lib import mailboxes


@pytest.mark.parametrize(
    ("email", "normal"),
    [
        ("Dora@Example.COM", "dora@example.com"),
        (" dora@example.com ", "dora@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@bu\u0308cher.example", "a@xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@ｅｘａｍｐｌｅ.com", "a@example.com"),
        ("a@example。com", "a@example.com"),
        # These two are different domains, with different owners.
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a@strasse.example", "a@strasse.example"),
    ],
)
def test_every_form_of_an_address_has_one_normal_form(email: str, normal: str) -> None:
    assert mailboxes.normalize(email) == normal
    assert mailboxes.normalize(normal) == normal


# U+1C89 is a letter with a lower case to PostgreSQL 18, and not a letter at all to Python 3.11.
@pytest.mark.parametrize(
    "email", ["a@\u1c89.com", "a@", "a@-b.example", "a@b..example", "a@\ud800.example", "a@\u2603.example"]
)
def test_a_domain_without_an_ascii_form_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mailboxes.normalize(email)
