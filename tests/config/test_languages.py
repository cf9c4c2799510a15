"""Pages and emails in German, the API in English; every text has its translation."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from django.conf import settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.forms import TextInput
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from accounts import emails, invitations
from accounts.lib import languages
from accounts.lib.money import NumberFormField
from accounts.models import Event, Organization, User
from config.local import words
from tests import factories
from tests.browser import signed_in, text

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd]|%%|\{\w+\}|</?\w+")
# Names, formats, and what programs write.
SAME_IN_ALL = {
    "CSV",
    "PDF",
    "JSON Lines",
    "URL",
    "UTC",
    "UTC.",
    "webhook-id",
    "Standard Webhooks",
    "ms",
    "Tollgate",
    "whsec_",
}
NO_TEXT = re.compile(
    r"\{% blocktranslate.*?endblocktranslate %\}|\{% block layout %\}.*?endblock %\}|\{#.*?#\}"
    r"|<(code|pre|style)\b.*?</\1>",
    re.DOTALL,
)
TAGS = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|<(?:\{[%{].*?[%}]\}|[^>])*>|&\w+;", re.DOTALL)
BARE_ARGUMENT = re.compile(r'\{% (?:panel|badge|empty_state|cell|table|dialog|fold)\b[^%]*?(?<!_\()"[A-Z][^"]*"')
BARE_ATTRIBUTE = re.compile(r'\b(?:aria-label|placeholder|title)="[A-Za-z]+[^"{]*"')


def translations() -> list[Message]:
    return [message for message in words.read("de") if message.id]


def test_every_marked_text_is_in_the_catalog() -> None:
    """`make words` puts new ones there. The refusals of the API are there too, as far as somebody translated them."""
    assert {text for text, _ in words.marked()} - {message.id for message in translations()} == set()


def test_every_text_has_a_german_translation_with_the_same_placeholders() -> None:
    wrong = []
    for message in translations():
        sources = [message.id] if isinstance(message.id, str) else list(message.id)
        results = [message.string] if isinstance(message.string, str) else list(message.string or [""])
        places = [{*PLACEHOLDERS.findall(source)} for source in sources]
        if message.fuzzy or not all(results) or [{*PLACEHOLDERS.findall(result)} for result in results] != places:
            wrong.append(sources[0])
    assert wrong == []


def bare_texts(source: str) -> list[str]:
    """The texts of a template that aren't marked for translation."""
    source = NO_TEXT.sub("", source)
    pieces = [piece.strip(" \n·,:()“”%•/…–−+—").removeprefix("whsec_") for piece in TAGS.sub("\n", source).split("\n")]
    shown = [piece for piece in pieces if re.search("[A-Za-z]{2}", piece) and piece not in SAME_IN_ALL]
    return shown + BARE_ARGUMENT.findall(source) + BARE_ATTRIBUTE.findall(source)


def test_no_template_has_a_text_that_is_not_marked() -> None:
    unmarked = {str(path): bare_texts(path.read_text()) for path in TEMPLATES if path.name != "api_docs.html"}
    assert {path: texts for path, texts in unmarked.items() if texts} == {}


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        "{% if x %}Hello{% endif %}",
        '{% panel "Hello" %}{% endpanel %}',
        '<nav aria-label="Hello"></nav>',
    ],
)
def test_a_text_that_is_not_marked_is_noticed(source: str) -> None:
    assert bare_texts(source) != []
    assert bare_texts('<p>{% translate "Hello" %}, {{ name|default:_("you") }}</p>') == []


@pytest.mark.django_db
def test_a_page_is_in_the_language_of_the_browser() -> None:
    answer = Client(headers=GERMAN).get("/accounts/login/")
    page = text(answer)
    assert '<html lang="de"' in page
    assert "<h1>Anmelden</h1>" in page
    assert answer["Content-Language"] == "de"
    assert "Accept-Language" in answer["Vary"]
    assert '<html lang="en"' in text(Client().get("/accounts/login/"))
    assert '<html lang="en"' in text(Client().get("/accounts/login/", HTTP_ACCEPT_LANGUAGE="fr"))


@pytest.mark.django_db
def test_a_page_of_an_error_is_in_the_language_of_the_browser() -> None:
    page = text(Client(headers=GERMAN).get("/no/such/page"))
    assert '<html lang="de"' in page
    assert "Zur Startseite" in page


def test_a_persons_choice_wins_and_is_an_event(alice: User) -> None:
    organization = alice.memberships.get().organization
    browser = signed_in(alice)
    profile = {"name": alice.name, "timezone": "UTC", "language": "de"}
    answer = browser.post("/profile/", profile, HTTP_ACCEPT_LANGUAGE="en")
    assert answer.cookies["language"].value == "de"
    page = text(browser.get(f"/o/{organization.public_id}/", HTTP_ACCEPT_LANGUAGE="en"))
    assert '<html lang="de"' in page
    assert "Verfügbar" in page
    assert Event.objects.of(organization).filter(type="user.changed").latest("pk").data["fields"] == ["language"]
    browser.post("/profile/", {**profile, "language": ""})
    assert '<html lang="en"' in text(browser.get("/profile/", HTTP_ACCEPT_LANGUAGE="en"))
    assert browser.post("/profile/", {**profile, "language": "xx"}).status_code == 400


def test_the_language_of_a_page_ends_with_it(alice: User) -> None:
    """Threads answer many requests: the next one must not find a language that was left behind."""
    alice.language = "de"
    alice.save()
    assert '<html lang="de"' in text(signed_in(alice).get("/profile/"))
    assert translation.get_language() == "en"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"), [("/v1/no/such/thing", None), ("/v1/auth/token", {"email": "x"}), ("/v1/auth/signup", {})]
)
def test_the_api_speaks_english(path: str, body: dict[str, str] | None) -> None:
    def ask(headers: dict[str, str]) -> str:
        browser = Client(headers=headers)
        browser.get("/accounts/login/")
        response = browser.get(path) if body is None else browser.post(path, body, "application/json")
        assert response.status_code >= 400
        assert "Content-Language" not in response
        return re.sub(r'"request_id": ?"\w+"', "", response.content.decode())

    assert ask(GERMAN) == ask({})


def test_an_email_is_in_the_language_of_its_recipient(alice: User) -> None:
    alice.language = "de"
    alice.save()
    emails.queue("password_reset", to=alice.email, context={})
    emails.write("Your plan has ended", "%(plan)s was not paid.", to=alice.email, facts={"plan": "Pro"})
    emails.queue("password_reset", to="nobody@example.com", context={})
    reset = {"reset_url": "https://example.com", "email": "x"}
    emails.send_due({"password_reset": lambda to, context: reset})
    subjects = {(message.to[0], message.subject) for message in mail.outbox}
    assert subjects == {
        (alice.email, "Neues Passwort wählen"),
        (alice.email, "Ihr Tarif ist zu Ende"),
        ("nobody@example.com", "Choose a new password"),
    }
    (first, *_) = mail.outbox
    assert isinstance(first, EmailMultiAlternatives)
    assert '<html lang="de">' in str(first.alternatives[0][0])


def test_an_invitation_is_in_the_language_of_who_invites(alice: User, organization: Organization) -> None:
    alice.language = "de"
    alice.save()
    factories.invitation(organization, "new@example.com", "viewer", by=alice)
    emails.send_due({invitations.TEMPLATE: invitations.email_context})
    (message,) = mail.outbox
    assert "lädt Sie zu" in message.subject
    assert "Rolle Betrachter" in message.body


def test_an_organizations_address_gets_the_language_of_an_owner(alice: User, organization: Organization) -> None:
    alice.language = "de"
    alice.save()
    assert emails.language_of("billing@example.com", organization) == "de"
    assert emails.language_of("billing@example.com") == ""


def test_numbers_and_dates_are_written_in_their_language() -> None:
    template = Template(
        '{% load money %}{{ number|amount }} {{ price|money:currency }} {{ width }} {{ day|date:"DATE_FORMAT" }}'
    )
    shown = {
        "number": Decimal("-1250.5"),
        "price": Decimal("0.5"),
        "currency": "EUR",
        "width": 12.5,
        "day": date(2026, 3, 1),
    }
    with languages.spoken("de"):
        assert template.render(Context(shown)) == "−1.250,5 EUR\u00a00,50 12.5 1. März 2026"
    assert template.render(Context(shown)) == "−1,250.5 EUR\u00a00.50 12.5 1 March 2026"


@pytest.mark.parametrize(("language", "number"), [("de", "12,5"), ("de", "12.5"), ("en", "12.5")])
def test_an_amount_is_typed_as_people_write_it(language: str, number: str) -> None:
    with languages.spoken(language):
        assert NumberFormField().clean(number) == Decimal("12.5")


@pytest.mark.parametrize(
    ("language", "number"), [("de", "1.250,5"), ("de", "1,250,5"), ("de", "1.250"), ("en", "12,5")]
)
def test_an_amount_with_two_meanings_is_refused(language: str, number: str) -> None:
    with languages.spoken(language), pytest.raises(ValidationError):
        NumberFormField(widget=TextInput()).clean(number)


@pytest.mark.parametrize(("language", "shown"), [("de", "1,255"), ("en", "1.255")])
def test_an_amount_that_a_page_shows_is_taken_back(language: str, shown: str) -> None:
    field = NumberFormField(widget=TextInput())
    with languages.spoken(language):
        assert field.prepare_value(Decimal("1.255000000")) == shown
        assert field.clean(shown) == Decimal("1.255")


@pytest.mark.django_db
@pytest.mark.parametrize(("headers", "language"), [(GERMAN, "de"), ({}, "")])
def test_who_signs_up_on_a_german_page_gets_german_emails(headers: dict[str, str], language: str) -> None:
    params = {"name": "Neu", "email": "neu@example.com", "password1": "correct horse battery", "timezone": "UTC"}
    Client(headers=headers).post("/accounts/signup/", params)
    assert User.objects.get(email="neu@example.com").language == language
