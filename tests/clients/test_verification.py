"""`tollgate-client verify-events`: proves an export offline, and names the first row that is wrong."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from tollgate_client.__main__ import main

from accounts import events, people, signing
from accounts.events import heads, publication
from accounts.models import Event, Organization, PersonalData, PublishedEvent, User
from accounts.webhooks import outbox
from billing.ledger import seals
from billing.models import LedgerEntry, LedgerSeal
from tests import factories
from tests.conftest import Api
from usage.storage import reconciliation

EVENTS, LEDGER = "/v1/events/export", "/v1/ledger/export"


def happen(organization: Organization, type: str = "organization.resumed") -> Event:
    return events.record(organization.pk, type, {}, timezone.now(), personal={"address": "203.0.113.9"})


def publish() -> None:
    publication.publish_due(outbox.fan_out)


@pytest.fixture
def log(organization: Organization) -> list[Event]:
    """Five events, of which the third is a child's; the making of the child is the first of all."""
    child = people.add_child(organization, name="Child")
    made = [happen(node) for node in (organization, organization, child, organization, organization)]
    publish()
    return made


@pytest.fixture
def client(api: Any, alice: User) -> Api:
    return api(alice)  # type: ignore[no-any-return]


@pytest.fixture
def proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Verifies the text of a file, with seals that were kept, and says the exit code and what was printed."""

    def run(*texts: str, seals: list[Any] | None = None) -> tuple[int, str]:
        (tmp_path / "keys.json").write_text(Api().get("/.well-known/seal-keys.json").content.decode())
        arguments = ["verify-events", "--keys", str(tmp_path / "keys.json")]
        for number, seal in enumerate(seals or []):
            (tmp_path / f"seal-{number}").write_text(json.dumps(seal))
            arguments += ["--head", str(tmp_path / f"seal-{number}")]
        for number, text in enumerate(texts):
            (tmp_path / f"file-{number}").write_text(text)
            arguments.append(str(tmp_path / f"file-{number}"))
        code = main(arguments)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def exported(client: Api, path: str = EVENTS) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def tamper(statement: str) -> None:
    """As a superuser, who can switch the triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def organization_of(event: Event) -> Organization:
    assert event.organization  # those of the company's own log have none
    return event.organization


def test_an_export_is_proved(client: Api, log: list[Event], proved: Any) -> None:
    code, printed = proved(exported(client))
    assert (code, "events 1 to 6" in printed) == (0, True), printed


def test_rows_that_are_left_out_don_not_break_the_proof(
    client: Api, log: list[Event], proved: Any, alice: User
) -> None:
    code, printed = proved(exported(client, f"{EVENTS}?type=organization.resumed&target="[:-8]))
    assert (code, "0 left out" in printed) == (0, True), printed
    people.switch(alice, organization_of(log[2]))
    below = exported(Api(client_of(alice)))
    assert proved(below)[0] == 0
    assert log[0].public_id not in below


def client_of(person: User) -> str:
    from accounts import tokens

    return tokens.issue(person, person.current_organization).access


def left_out(row: str, **more: Any) -> str:
    """A row as it stands where it is left out, and what a forger writes beside it."""
    sealed = row[len('{"event": ') : row.index(', "digest"')]
    beside = json.loads(row)
    line = hashlib.sha256(sealed.encode()).hexdigest()
    return json.dumps({"sequence": 3, "line": line, "digest": beside["digest"], **more}) + "\n"


def test_a_row_may_be_left_out(client: Api, log: list[Event], proved: Any) -> None:
    rows = lines(exported(client))
    code, printed = proved("".join([*rows[:3], left_out(rows[3]), *rows[4:]]))
    assert (code, "1 left out" in printed) == (0, True), printed


@pytest.mark.parametrize("keys", ['{"keys": []}', "[]", "no JSON", "{}", ""])
def test_files_that_can_not_be_read_are_refused(tmp_path: Path, capsys: Any, keys: str) -> None:
    (tmp_path / "keys.json").write_text(keys)
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    for name in ("file", "missing"):
        assert main(["verify-events", "--keys", str(tmp_path / "keys.json"), str(tmp_path / name)]) == 1
        assert main(["verify-finance", "--keys", str(tmp_path / "keys.json"), str(tmp_path / name)]) == 1
    assert "Traceback" not in capsys.readouterr().err


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("spoil", "row"),
    [
        (lambda rows: [*rows[:3], rows[3].replace("organization.resumed", "organization.closed"), *rows[4:]], 3),
        (lambda rows: [*rows[:3], *rows[4:]], 3),
        (lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]], 3),
        (lambda rows: rows[:-2], 6),
        (lambda rows: rows[:-1], 7),
        (lambda rows: [*rows, rows[3]], 7),
        (lambda rows: [rows[0], *rows[2:]], 1),
        (lambda rows: [*rows[:3], rows[3].replace("203.0.113.9", "203.0.113.8"), *rows[4:]], 3),
        (lambda rows: [*rows[:3], "{}\n", *rows[3:]], 3),
        (lambda rows: [*rows[:-1], json.dumps({"signature": "x.y.z"})], 0),
        (lambda rows: [*rows[:-1], json.dumps({"signature": 7})], 0),
        (lambda rows: [*rows[:3], rows[3].replace(', "digest"', ', "event": {}, "digest"'), *rows[4:]], 3),
        (lambda rows: [*rows[:3], rows[3].replace(', "digest"', ', "digest": "", "digest"'), *rows[4:]], 3),
        (lambda rows: [*rows[:3], left_out(rows[3], event={}), *rows[4:]], 3),
        (lambda rows: [*rows[:3], '{"event": 7, "digest": ""}\n', *rows[4:]], 3),
        (lambda rows: [*rows[:3], "[" * 100_000, *rows[4:]], 3),
        (lambda rows: [rows[0].replace('"first": 1', '"first": "1"'), *rows[1:]], 0),
        (lambda rows: [rows[0].replace("}", ', "event": {}}'), *rows[1:]], 0),
        (lambda rows: [*rows[:-1], rows[-1].replace("}", ', "event": {}}')], 7),
    ],
    ids=(
        *("changed", "deleted", "reordered", "cut", "unsigned", "added", "first", "personal", "inserted", "forged"),
        *("no signature", "another row", "twice", "left out with a row", "no row", "deep", "no number"),
        *("header with a row", "signature with a row"),
    ),
)
def test_the_first_wrong_row_of_a_file_is_named(
    client: Api, log: list[Event], proved: Any, spoil: Any, row: int
) -> None:
    code, printed = proved("".join(spoil(lines(exported(client)))))
    assert (code, printed.startswith(f"Not proved. row {row}: ")) == (1, True), printed


@pytest.mark.parametrize(
    ("attack", "row"),
    [
        ("UPDATE accounts_event SET type = 'organization.closed' WHERE id = '{}'", 3),
        ("UPDATE accounts_event SET created_at = created_at - interval '1 day' WHERE id = '{}'", 3),
        ("DELETE FROM accounts_event WHERE id = '{}'", 3),
        ("UPDATE accounts_personaldata SET text = '{{}}' WHERE event_id = '{}'", 3),
        ("UPDATE accounts_publishedevent SET sequence = 99 WHERE event_id = '{}'", 3),
    ],
)
def test_what_a_superuser_changed_in_the_database_is_named(
    client: Api, log: list[Event], proved: Any, attack: str, row: int
) -> None:
    tamper(attack.format(log[1].pk))
    code, printed = proved(exported(client))
    assert (code, printed.startswith(f"Not proved. row {row}: ")) == (1, True), printed


def test_a_cut_tail_shows_by_a_seal_that_was_kept(client: Api, log: list[Event], proved: Any) -> None:
    seal = client.get("/v1/events/head").json()
    assert proved(exported(client), seals=[seal])[0] == 0
    publish()
    tamper(f"DELETE FROM accounts_publishedevent WHERE sequence >= 5 AND root_id = '{organization_of(log[0]).root_id}'")
    assert proved(exported(client))[0] == 0  # the file alone doesn't show it
    code, printed = proved(exported(client), seals=[seal])
    assert (code, printed.startswith("Not proved. row 5: ")) == (1, True), printed


def test_a_rewritten_log_shows_by_a_seal_that_was_kept(client: Api, log: list[Event], proved: Any) -> None:
    event = log[4]
    heads.announce(timezone.now())
    sealed = Event.objects.of(organization_of(event)).get(type="event_log.sealed")
    assert sealed.data["last"] == 6
    root = organization_of(event).root_id
    places = PublishedEvent.objects.filter(root=root)
    tamper(f"UPDATE accounts_event SET type = 'organization.closed' WHERE id = '{event.pk}'")
    tamper(
        f"INSERT INTO accounts_unpublishedevent SELECT event_id FROM accounts_publishedevent WHERE root_id = '{root}'"
    )
    tamper(f"DELETE FROM accounts_publishedevent WHERE root_id = '{root}'")
    publish()
    assert places.count() == 7
    assert proved(exported(client))[0] == 0
    code, printed = proved(exported(client), seals=[{"data": sealed.data}])
    assert (code, printed.startswith("Not proved. row 6: ")) == (1, True), printed


def test_erasure_leaves_it_proved(client: Api, log: list[Event], proved: Any) -> None:
    PersonalData.objects.filter(event__in=log[:2]).delete()
    text = exported(client)
    code, printed = proved(text)
    assert (code, "personal data of 2 erased" in printed) == (0, True), printed


def test_files_follow_one_another_and_old_keys_prove_old_files(client: Api, log: list[Event], proved: Any) -> None:
    first = exported(client)
    signing.rotate()
    publish()
    second = exported(client, f"{EVENTS}?after=6")
    assert proved(first, second)[0] == 0
    assert proved(second, first)[0] == 1


def test_another_servers_file_is_not_proved(client: Api, log: list[Event], proved: Any, tmp_path: Path) -> None:
    rows = lines(exported(client))
    claims = rows[-1].split(".")
    rows[-1] = ".".join([claims[0], claims[1], "A" * 342 + '"}'])
    assert proved("".join(rows)) == (1, "Not proved. row 0: the signature is not the server's\n")


@pytest.fixture
def entries(funded: Organization) -> Organization:
    for amount in (5, "0.000000001", 7):
        factories.credit(funded, amount)
    return funded


def test_a_ledger_is_proved(client: Api, entries: Organization, proved: Any) -> None:
    code, printed = proved(exported(client, LEDGER))
    assert (code, "ledger 1 to 4" in printed) == (0, True), printed
    assert Event.objects.of(entries).latest("id").type == "ledger.exported"
    assert proved(exported(client, f"{LEDGER}?after=2"))[0] == 0


@pytest.mark.parametrize("attack", ["SET amount = 6", "SET balance_after = 0", "SET seq = 9"])
def test_an_entry_that_a_superuser_changed_is_named(
    client: Api, entries: Organization, proved: Any, attack: str
) -> None:
    tamper(f"UPDATE billing_ledgerentry {attack} WHERE seq = 2 AND account_id = '{entries.pk}'")
    code, printed = proved(exported(client, LEDGER))
    assert (code, printed.startswith("Not proved. row 2: ")) == (1, True), printed


def rewrite(payer: Organization) -> None:
    """The second entry brought one credit less: every balance after it, and the account's, agree with that."""
    tamper(f"UPDATE billing_ledgerentry SET amount = amount - 1 WHERE seq = 2 AND account_id = '{payer.pk}'")
    tamper(
        f"UPDATE billing_ledgerentry SET balance_after = balance_after - 1 WHERE seq >= 2 AND account_id = '{payer.pk}'"
    )
    tamper(f"UPDATE billing_ledgeraccount SET balance = balance - 1 WHERE organization_id = '{payer.pk}'")
    tamper(f"UPDATE billing_grant SET amount = 4, remaining = 4 WHERE entry_seq = 2 AND account_id = '{payer.pk}'")


def test_a_rewritten_ledger_whose_balances_agree_is_not_proved(client: Api, entries: Organization, proved: Any) -> None:
    assert seals.sweep(timezone.now()) == 4
    assert reconciliation.run() == []
    rewrite(entries)
    code, printed = proved(exported(client, LEDGER))
    assert (code, printed.startswith("Not proved. row 2: it was changed")) == (1, True), printed
    [finding] = reconciliation.run()
    assert (finding.organization, finding.detail) == (entries.public_id, "entry 2 is not what was sealed")


def test_without_a_seal_it_would_be(client: Api, entries: Organization, proved: Any) -> None:
    rewrite(entries)
    assert proved(exported(client, LEDGER))[0] == 0
    assert reconciliation.run() == []


def test_rewritten_seals_show_by_one_that_was_kept(client: Api, entries: Organization, proved: Any) -> None:
    seal = client.get("/v1/ledger/head").json()
    assert (seal["log"], seal["last"]) == ("ledger", 4)
    assert seals.announce(timezone.now()) == 1
    assert seals.announce(timezone.now()) == 0
    sealed = Event.objects.of(entries).get(type="ledger.sealed").data
    tamper(f"DELETE FROM billing_ledgerseal WHERE account_id = '{entries.pk}'")
    rewrite(entries)
    assert proved(exported(client, LEDGER))[0] == 0
    for kept in (seal, {"data": sealed}):
        code, printed = proved(exported(client, LEDGER), seals=[kept])
        assert (code, printed.startswith("Not proved. row 4: ")) == (1, True), printed


def test_parts_of_a_ledger_follow_one_another(client: Api, entries: Organization, proved: Any) -> None:
    seals.sweep(timezone.now())
    factories.credit(entries, 9)
    cut = LedgerEntry.objects.get(account=entries.pk, seq=3).created_at.isoformat().replace("+00:00", "Z")
    parts = [exported(client, f"{LEDGER}?to={cut}"), exported(client, f"{LEDGER}?after=2")]
    code, printed = proved(*parts)
    assert (code, "ledger 3 to 5" in printed) == (0, True), printed
    assert proved(parts[1], parts[0])[0] == 1
    assert LedgerSeal.objects.of(entries).count() == 2


def test_what_is_sealed_stays_the_same_to_the_letter() -> None:
    """Otherwise no entry that was sealed before could be proved any more."""
    moment = datetime(2026, 11, 27, 20, 0, 0, 5, tzinfo=UTC)
    entry = LedgerEntry(
        seq=7, kind="usage", amount=Decimal("-0.001000000"), balance_after=Decimal("12.500000000"), description="Ünit",
        metadata={"a": Decimal("1.10")}, created_at=moment,
    )  # fmt: skip
    assert seals.line(entry) == (
        '{"id": 7, "kind": "usage", "amount": -0.001, "balance_after": 12.5, "description": "Ünit", "reference": "", '
        '"metadata": {"a": 1.1}, "reverses": null, "actor": "", "created_at": "2026-11-27T20:00:00.000005Z"}'
    )
