"""Webhooks in the browser: endpoints and their secrets, deliveries, replay."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import events, people
from accounts.events import publication
from accounts.lib import form_ids, timezones
from accounts.models import Delivery, Organization, Redelivery, User, WebhookEndpoint
from accounts.webhooks import outbox, signing, worker
from tests import factories
from tests.accounts.webhooks.inbox import inbox
from tests.browser import at, messages_of, signed_in, text

URL = "https://example.com/hooks"
TYPE = "organization.resumed"


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def endpoint(organization: Organization, url: str = URL, **fields: Any) -> WebhookEndpoint:
    secret = signing.seal(signing.make_secret())
    options = {"event_types": [TYPE], "api_version": "v1", **fields}
    return WebhookEndpoint.objects.create(organization=organization, url=url, secret=secret, **options)


def page(organization: Organization, endpoint: WebhookEndpoint, path: str = "") -> str:
    return at(organization, f"webhooks/{endpoint.public_id}/{path}")


def happen(organization: Organization, type: str = TYPE) -> None:
    events.record(organization.pk, type, {}, timezone.now())
    publication.publish_due(outbox.fan_out)


def add(browser: Client, organization: Organization, **fields: Any) -> Any:
    return browser.post(at(organization, "webhooks/new/"), {"url": URL, "id": form_ids.new(), **fields})


def test_the_secret_is_shown_once(browser: Client, organization: Organization) -> None:
    form_id = form_ids.new()
    made = add(browser, organization, id=form_id, types=["credits.low", "budget.crossed"], includes_subtree="on")
    assert (made.status_code, "no-store" in made["Cache-Control"]) == (201, True)
    row = WebhookEndpoint.objects.get()
    assert (row.event_types, row.includes_subtree) == (["credits.low", "budget.crossed"], True)
    secret = made.context["secret"]
    assert signing.live(row.secret, None, None, timezone.now()) == (secret,)
    assert secret not in text(browser.get(page(organization, row)))
    again = add(browser, organization, id=form_id, types=["credits.low"])  # reloaded
    assert (again["Location"], "made already" in messages_of(again)[0]) == (at(organization, "webhooks/"), True)
    assert WebhookEndpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"url": "https://user@example.com/", "everything": "on"}, "user name"),
        ({"url": "https://10.0.0.1/", "everything": "on"}, "public address"),
        ({"url": "https://tollgate.example.com/", "everything": "on"}, "this installation"),
        ({}, "Choose at least one"),
        ({"types": ["no.such"]}, "no.such is not one of the available choices"),
        ({"everything": "on", "id": "x"}, "out of date"),
    ],
)
def test_bad_input_is_said_and_makes_nothing(
    browser: Client, organization: Organization, fields: dict[str, Any], error: str
) -> None:
    answer = add(browser, organization, **fields)
    assert (answer.status_code, error in text(answer)) == (400, True)
    assert not WebhookEndpoint.objects.exists()


def test_audit_types_are_offered_to_who_may_read_them(browser: Client, organization: Organization) -> None:
    developer = factories.user("dora")
    factories.join(developer, organization, "developer")
    people.switch(developer, organization)
    theirs = signed_in(developer)
    assert 'value="user.changed"' in text(browser.get(at(organization, "webhooks/new/")))
    assert 'value="user.changed"' not in text(theirs.get(at(organization, "webhooks/new/")))
    assert add(theirs, organization, types=["user.changed"]).status_code == 400
    row = endpoint(organization, event_types=["user.changed"])
    happen(organization, "user.changed")
    path = at(organization, f"webhooks/deliveries/{row.deliveries.get().public_id}/")
    assert "user.changed&quot;" in text(browser.get(path))
    assert "user.changed&quot;" not in text(theirs.get(path))


def test_one_form_rotates_once(browser: Client, organization: Organization) -> None:
    row = endpoint(organization)
    path = page(organization, row, "rotate/")
    (version,) = re.findall(r'name="version" value="([^"]+)"', text(browser.get(path)))
    made = browser.post(path, {"overlap": "3600", "version": version})
    assert made.status_code == 200
    row.refresh_from_db()
    live = signing.live(row.secret, row.previous_secret, row.previous_secret_expires_at, timezone.now())
    assert (live[0], len(live)) == (made.context["secret"], 2)
    again = browser.post(path, {"overlap": "0", "version": version})
    assert "rotated meanwhile" in messages_of(again)[0]
    row.refresh_from_db()
    assert signing.live(row.secret, row.previous_secret, row.previous_secret_expires_at, timezone.now()) == live


def test_it_is_changed_disabled_enabled_and_deleted(browser: Client, organization: Organization) -> None:
    row = endpoint(organization)
    changed = {"url": "https://example.com/other", "everything": "on", "description": "Ours"}
    assert browser.post(page(organization, row, "change/"), changed).status_code == 302
    row.refresh_from_db()
    assert (row.url, row.event_types, row.description) == ("https://example.com/other", ["*"], "Ours")
    happen(organization)
    assert browser.post(page(organization, row, "disable/")).status_code == 302
    assert "2 deliveries are waiting" in text(browser.get(page(organization, row, "enable/")))
    assert browser.post(page(organization, row, "enable/"), {"waiting": "drop"}).status_code == 302
    row.refresh_from_db()
    assert row.status == "enabled"
    assert set(row.deliveries.filter(event__type=TYPE).values_list("status", flat=True)) == {"cancelled"}
    assert browser.post(page(organization, row, "delete/")).status_code == 302
    assert browser.get(page(organization, row)).status_code == 404
    assert (outbox.purge() > 0, WebhookEndpoint.objects.exists(), Delivery.objects.exists()) == (True, False, False)


def test_attempts_are_shown_and_one_is_sent_again(browser: Client, organization: Organization) -> None:
    with inbox(status=503) as box:
        row = endpoint(organization, box.url)
        happen(organization)
        worker.run()
        assert "Failing" in text(browser.get(page(organization, row)))
        path = at(organization, f"webhooks/deliveries/{row.deliveries.get().public_id}/")
        shown = text(browser.get(path))
        assert "503" in shown
        assert '<pre class="text">{&quot;id&quot;: &quot;evt_' in shown
        box.status = 200
        assert browser.post(path).status_code == 302
        worker.run()
        assert browser.post(page(organization, row, "test/")).context["answer"].status == 200
    assert len({request.headers["webhook-id"] for request in box.requests[:2]}) == 1
    assert row.deliveries.get().status == "succeeded"
    for status, count in (("succeeded", 1), ("failed", 0), ("nonsense", 1)):
        assert len(browser.get(f"{page(organization, row)}?status={status}").context["object_list"]) == count


def test_a_span_of_time_is_replayed_in_the_persons_zone(organization: Organization, alice: User) -> None:
    alice.timezone = "Asia/Tokyo"
    alice.save()
    browser, row = signed_in(alice), endpoint(organization)
    happen(organization)
    row.deliveries.update(status="failed")
    path = page(organization, row, "replay/")
    assert browser.post(path, {"since": "2020-01-01T00:00", "only_failed": "failed"}).status_code == 400
    local = timezone.localtime(timezone.now(), timezones.zone("Asia/Tokyo"))
    since = local.replace(hour=0, minute=0, second=0, microsecond=0)
    assert browser.post(path, {"since": f"{since:%Y-%m-%dT%H:%M}", "only_failed": "failed"}).status_code == 302
    job = Redelivery.objects.get()
    assert (job.since, job.total) == (since, 1)
    assert "0 of 1" in text(browser.get(path))
    assert "0 of 1" in text(browser.get(f"{path}?kind=failed"))
    assert "No replay matches" in text(browser.get(f"{path}?kind=all"))
    lines = browser.get(f"{path}?format=csv").content.decode().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [job.public_id]


PATHS = ["", "change/", "rotate/", "enable/", "disable/", "delete/", "replay/"]


def test_a_viewer_looks_and_a_stranger_sees_nothing(organization: Organization, bob: User, charlie: User) -> None:
    row = endpoint(organization)
    happen(organization)
    delivery = at(organization, f"webhooks/deliveries/{Delivery.objects.get().public_id}/")
    looks, stranger = signed_in(bob), signed_in(charlie)
    for path in PATHS:
        expected = 200 if path in ("", "replay/") else 403
        assert looks.get(page(organization, row, path)).status_code == expected
        assert stranger.get(page(organization, row, path)).status_code == 404
        own = charlie.current_organization
        assert own
        assert stranger.get(page(own, row, path)).status_code == 404  # of another organization
    assert (looks.get(delivery).status_code, looks.post(delivery).status_code) == (200, 403)
    assert stranger.get(delivery).status_code == stranger.post(delivery).status_code == 404
    assert looks.post(page(organization, row, "test/")).status_code == 403
    assert looks.get(at(organization, "webhooks/we_0/")).status_code == 404


def table(answer: Any) -> list[str]:
    return list(answer.content.decode().splitlines()[1:])


def test_endpoints_and_deliveries_are_searched_and_downloaded(browser: Client, organization: Organization) -> None:
    first, second = endpoint(organization), endpoint(organization, "https://b.example.com/", description="Staging")
    happen(organization)
    listed = text(browser.get(at(organization, "webhooks/?q=staGing")))
    assert (second.url in listed, first.url in listed) == (True, False)
    assert "No endpoint matches" in text(browser.get(at(organization, "webhooks/?q=zed")))
    lines = table(browser.get(at(organization, "webhooks/?format=csv&q=staging")))
    assert [line.split(",")[:3] for line in lines] == [[second.public_id, second.url, "Staging"]]

    delivery = first.deliveries.get()
    for search in ("resumed", delivery.public_id, delivery.event.public_id):
        answer = browser.get(page(organization, first, f"?q={search}&status=pending"))
        assert delivery.public_id in text(answer)
        lines = table(browser.get(page(organization, first, f"?q={search}&format=csv")))
        assert [line.split(",")[:4] for line in lines] == [
            [delivery.public_id, delivery.event.public_id, TYPE, "pending"]
        ]
    nothing = text(browser.get(page(organization, first, "?q=credits.low&status=pending")))
    assert "No delivery matches" in nothing
    assert 'name="status" value="pending"' in nothing
    assert table(browser.get(page(organization, first, f"?q={second.public_id}&format=csv"))) == []
