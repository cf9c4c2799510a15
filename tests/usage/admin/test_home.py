"""The operators' home: the figures of a day, each with its list, at a cost that doesn't grow with what there is."""

from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.models import LedgerAccount, Payment
from tests import factories
from tests.browser import signed_in, text
from usage.models import LedgerProof
from usage.reporting import installation


def tiles(operator: Client) -> dict[str, Any]:
    return {tile.name: tile for tile in operator.get("/admin/").context["tiles"]}


def test_it_shows_what_happened(operator: Client, busy: ApiKey, organization: Organization, charlie: User) -> None:
    shown = tiles(operator)
    assert shown["Sign-ups"].figure == "2"
    assert (shown["Burn"].figure, shown["Burn"].note) == ("1", "credits used in 24 hours by 1 active payer")
    assert (shown["Purchases"].figure, shown["Purchases"].note[:5]) == ("USD\u00a020.00", "by 1 ")
    assert shown["Failed payments"].figure == "0"
    assert shown["Change requests"].figure == "0"
    Payment.objects.create(organization=organization, amount=5, currency="USD", status="failed")
    assert tiles(operator)["Failed payments"].figure == "1"


def test_each_figure_leads_to_its_list(operator: Client, busy: ApiKey) -> None:
    for tile in tiles(operator).values():
        assert operator.get(tile.url).status_code == 200, tile.name
        assert "e=1" not in tile.url


def test_the_drift_is_that_of_the_last_proof(operator: Client, organization: Organization) -> None:
    assert tiles(operator)["Ledger drift"].note.startswith("never proved")
    factories.credit(organization, 10)
    call_command("check_ledger", stdout=StringIO())
    proof = LedgerProof.objects.get()
    assert (proof.accounts, proof.differences, proof.findings) == (1, 0, [])
    assert (tiles(operator)["Ledger drift"].figure, tiles(operator)["Ledger drift"].state) == ("0", "good")
    LedgerAccount.objects.update(balance=11)
    with pytest.raises(SystemExit):
        call_command("check_ledger", stdout=StringIO())
    assert (tiles(operator)["Ledger drift"].figure, tiles(operator)["Ledger drift"].state) != ("0", "good")
    assert LedgerProof.objects.latest("id").findings[0]["organization"] == organization.public_id


def test_figures_are_for_those_who_may_see_their_lists(db: None) -> None:
    looker = User.objects.create_user(f"{factories.unique('looker')}@example.com", "x", is_staff=True)
    assert tiles(signed_in(looker)) == {}


def test_it_reads_no_events_and_scans_no_large_table(operator: Client, busy: ApiKey) -> None:
    """By their plans, once PostgreSQL may not scan a table that has another way."""
    with CaptureQueriesContext(connection) as captured:
        for figure in (
            lambda now: installation.sign_ups(now, installation.DAY),
            installation.movement,
            installation.purchases,
            installation.failed_payments,
            installation.failed_deliveries,
        ):
            figure(timezone.now())
    assert not [query for query in captured if "usage_event" in query["sql"] or "rollup" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in captured:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, plan


def test_a_broker_that_is_down_is_said(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_READ_URL", "redis+socket:///nowhere.sock")
    assert "the broker does not answer" in text(operator.get("/admin/"))


def test_what_waits_is_counted_only_so_far(operator: Client, organization: Organization, charlie: User) -> None:
    with patch.object(installation, "MOST", 0):
        assert installation.capped(Organization.objects.all()) == 1
