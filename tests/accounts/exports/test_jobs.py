"""Exports: made by a worker in steps, continued after a kill, downloaded by their owners for seven days."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.events import publication
from accounts.exports import archive, jobs, sections
from accounts.exports.rows import past
from accounts.models import Event, Export, ExportFile, Organization, User
from accounts.webhooks import outbox
from billing.models import LedgerEntry
from tests import factories
from tests.conftest import Api

ApiOf = Callable[[Any], Api]


def begin(organization: Organization) -> Export:
    return jobs.of_organization(organization, by="user:1", now=timezone.now())


def archived(export: Export) -> zipfile.ZipFile:
    length, parts = jobs.download(export, timezone.now())
    content = b"".join(parts)
    assert len(content) == length
    return zipfile.ZipFile(io.BytesIO(content))


def rows(files: zipfile.ZipFile, section: str) -> list[Any]:
    names = sorted(name for name in files.namelist() if name.startswith(f"{section}/") and name.endswith(".jsonl"))
    return [json.loads(text, parse_float=Decimal) for name in names for text in files.read(name).decode().splitlines()]


def test_all_that_an_organization_has_is_in_the_zip(api: ApiOf, alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child, with a comma")
    factories.credit(organization, "5.000000001")
    key, secret = factories.key(child, created_by=alice)
    publication.publish_due(outbox.fan_out)
    client = api(alice)
    begun = client.post("/v1/exports")
    assert (begun.status_code, begun.json()["status"], begun.json()["progress"]) == (202, "running", 0)
    path = f"/v1/exports/{begun.json()['id']}"
    assert client.get(f"{path}/download").json()["code"] == "export_not_ready"
    jobs.run(timezone.now())
    ready = client.get(path).json()
    assert (ready["status"], ready["progress"]) == ("ready", 100)
    answer = client.get(f"{path}/download")
    content = b"".join(answer.streaming_content)
    assert (answer["Content-Type"], answer["Content-Length"]) == ("application/zip", str(len(content)))
    files = zipfile.ZipFile(io.BytesIO(content))
    assert files.testzip() is None
    assert {row["public_id"] for row in rows(files, "organizations")} == {organization.public_id, child.public_id}
    [entry] = rows(files, "ledger_entries")
    assert (entry["amount"], entry["kind"]) == (Decimal("5.000000001"), "grant")
    assert [row["public_id"] for row in rows(files, "api_keys")] == [key.public_id]
    assert [row["email"] for row in rows(files, "people")] == [alice.email]
    assert {row["type"] for row in rows(files, "events")} >= {"api_key.created", "export.requested"}
    table = list(csv.reader(io.StringIO(files.read("organizations/0001.csv").decode())))
    assert {row[table[0].index("name")] for row in table[1:]} == {organization.name, "Child, with a comma"}
    assert secret.encode() not in content
    manifest = json.loads(files.read("manifest.json"))
    assert manifest["rows"]["ledger_entries"] == 1
    assert set(manifest["rows"]) == set(sections.OF_ORGANIZATION)
    types = set(Event.objects.of(organization).values_list("type", flat=True))
    assert {"export.requested", "export.finished", "export.downloaded"} <= types


def test_a_killed_export_goes_on_where_it_was(organization: Organization) -> None:
    for amount in range(1, 8):
        factories.credit(organization, amount)
    export = begin(organization)
    section = sections.OF_ORGANIZATION["ledger_entries"]
    small = sections.Section(section.name, section.rows, section.order, batch=3)
    killed, write = iter(range(1000)), jobs._write

    def dies(*arguments: Any) -> None:
        write(*arguments)
        if next(killed) in (2, 9, 16):
            raise KeyboardInterrupt

    with patch.dict(sections.OF_ORGANIZATION, {"ledger_entries": small}), patch.object(jobs, "_write", dies):
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                jobs.run(timezone.now())
        assert not Export.objects.get(pk=export.pk).finished_at
        jobs.run(timezone.now())
    files = archived(Export.objects.get(pk=export.pk))
    assert [row["seq"] for row in rows(files, "ledger_entries")] == list(range(1, 8))
    assert len([name for name in files.namelist() if name.startswith("ledger_entries/")]) == 6
    assert len(files.namelist()) == len(set(files.namelist()))


def test_one_at_a_time_three_a_day_and_seven_days(api: ApiOf, alice: User, organization: Organization) -> None:
    client = api(alice)
    for _ in range(3):
        assert client.post("/v1/exports").status_code == 202
        assert client.post("/v1/exports").json()["code"] == "export_under_way"
        jobs.run(timezone.now())
    assert client.post("/v1/exports").json()["code"] == "too_many_exports"
    export = Export.objects.of(organization).first()
    assert export
    assert jobs.purge(timezone.now() + timedelta(days=6)) == 0
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now())
    assert client.get(f"/v1/exports/{export.public_id}/download").json()["code"] == "export_not_ready"
    assert jobs.purge(timezone.now()) > 0
    assert not ExportFile.objects.filter(export=export).exists()


def test_who_may_not_read_everything_gets_no_export(
    api: ApiOf, alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    export = begin(organization)
    jobs.run(timezone.now())
    path = f"/v1/exports/{export.public_id}/download"
    assert api(bob).post("/v1/exports").status_code == api(bob).get(path).status_code == 403
    assert api(charlie).get(path).status_code == 404
    _, secret = factories.key(organization, created_by=alice, permissions=["audit:read"])
    assert api(secret).post("/v1/exports").json()["code"] == "insufficient_scope"
    assert api(secret).get(path).json()["code"] == "insufficient_scope"


def test_a_persons_own_data(api: ApiOf, alice: User, bob: User, organization: Organization) -> None:
    client = api(alice)
    begun = client.post("/v1/me/exports").json()
    jobs.run(timezone.now())
    export = Export.objects.get(user=alice)
    files = archived(export)
    [profile] = rows(files, "profile")
    assert (profile["email"], "password" in profile) == (alice.email, False)
    assert [row["organization"] for row in rows(files, "memberships")] == [organization.public_id]
    assert {row["type"] for row in rows(files, "events")} >= {"export.requested"}
    assert bob.email not in "".join(files.read(name).decode() for name in files.namelist())
    assert api(bob).get(f"/v1/me/exports/{begun['id']}/download").status_code == 404
    _, secret = factories.key(organization, created_by=alice, permissions=["audit:read"])
    assert api(secret).post("/v1/me/exports").status_code == 403


def test_the_page_begins_shows_and_hands_out_after_a_recent_sign_in(
    client: Client, alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    path = f"/o/{organization.public_id}/exports/"
    client.force_login(alice)
    assert client.post(path).status_code == 302
    assert b"<progress" in client.get(path).content
    jobs.run(timezone.now())
    export = Export.objects.get(organization=organization)
    assert b"Ready" in client.get(path).content
    assert client.get(f"{path}{export.pk}/").status_code == 302  # to confirm who one is
    assert b"All data about you" in client.get("/accounts/exports/").content
    for other, status in ((bob, 403), (charlie, 404)):
        browser = Client()
        browser.force_login(other)
        assert browser.get(path).status_code == browser.get(f"{path}{export.pk}/").status_code == status


@pytest.mark.parametrize("size", [0, archive.FULL * 2 // 3])
def test_an_archive_may_be_larger_than_four_gigabytes(size: int) -> None:
    """The directory of a large one is in 64-bit records. Its files aren't made: their sizes are what counts."""
    when, entries = timezone.now(), [archive.Entry(f"{number}.bin", 10, size, 0) for number in range(3)]
    parts = list(archive.stream(entries, when, lambda place: b""))
    assert archive.size_of(entries, when) == sum(map(len, parts)) + 3 * size
    assert (archive.END_64 in b"".join(parts)) == (size > 0)


def test_the_key_of_a_batch_is_compared_column_by_column(organization: Organization) -> None:
    for amount in range(1, 5):
        factories.credit(organization, amount)
    order = ("account_id", "seq")
    left = past(LedgerEntry.objects.of(organization), order, [str(organization.pk), 2])
    assert [entry.seq for entry in left] == [3, 4]
