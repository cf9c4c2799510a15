"""What belongs to a person and to no organization: their sign-ins, at `/v1/me/sessions`."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.test import Client

from accounts import tokens
from accounts.models import Event, Organization, TokenFamily, User
from tests import factories
from tests.conftest import Api

ApiOf = Callable[[Any], Api]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def browser_of(person: User) -> Client:
    browser = Client(headers={"user-agent": AGENT}, REMOTE_ADDR="203.0.113.5")
    assert browser.post("/accounts/login/", {"login": person.email, "password": factories.PASSWORD}).status_code == 302
    assert browser.get("/profile/").status_code == 200
    return browser


def test_dashboard_and_api_are_listed_together(api: ApiOf, alice: User, bob: User) -> None:
    browser_of(alice)
    browser_of(bob)
    client = api(alice)
    api(alice)
    rows = client.get("/v1/me/sessions").json()["results"]
    assert sorted(row["kind"] for row in rows) == ["api", "api", "browser"]
    [session] = [row for row in rows if row["kind"] == "browser"]
    assert (session["device"], session["network"]) == ("Firefox on Linux", "203.0.113.5")
    assert [row["is_current"] for row in rows].count(True) == 1
    shown = client.get("/v1/me/sessions").content.decode()
    for family in TokenFamily.objects.filter(user=alice):
        assert str(family.pk) not in shown  # it is a part of the refresh token
        assert family.pk.hex not in shown


def test_one_is_ended_from_its_next_request_on(api: ApiOf, alice: User, bob: User, organization: Organization) -> None:
    browser, client = browser_of(alice), api(alice)
    other = api(alice)
    rows = client.get("/v1/me/sessions").json()["results"]
    for row in rows:
        assert api(bob).delete(f"/v1/me/sessions/{row['id']}").status_code == 404
        if not row["is_current"]:
            assert client.delete(f"/v1/me/sessions/{row['id']}").status_code == 204
            assert client.delete(f"/v1/me/sessions/{row['id']}").status_code == 404
    assert browser.get("/profile/").status_code == 302
    assert other.get("/v1/whoami").status_code == 401
    assert client.get("/v1/whoami").status_code == 200
    ended = Event.objects.of(organization).filter(type="sign_in.ended").values_list("data__method", flat=True)
    assert sorted(ended) == ["session", "token"]
    for unknown in (uuid4(), "nonsense"):
        assert client.delete(f"/v1/me/sessions/{unknown}").status_code == 404


def test_all_others_are_ended_at_once(api: ApiOf, alice: User, bob: User, organization: Organization) -> None:
    browser, client, bobs = browser_of(alice), api(alice), api(bob)
    tokens.issue(alice, organization)
    assert client.post("/v1/me/sessions/end-others").json() == {"ended": 2}
    assert client.get("/v1/whoami").status_code == bobs.get("/v1/whoami").status_code == 200
    assert browser.get("/profile/").status_code == 302
    assert Event.objects.of(organization).get(type="sign_in.others_ended").data == {"ended": 2}


def test_a_key_has_no_sessions(api: ApiOf, alice: User, organization: Organization, anonymous: Api) -> None:
    _, secret = factories.key(organization, created_by=alice)
    for call in ("get", "post"):
        path = "/v1/me/sessions" if call == "get" else "/v1/me/sessions/end-others"
        assert getattr(api(secret), call)(path).status_code == 403
        assert getattr(anonymous, call)(path).status_code == 401
