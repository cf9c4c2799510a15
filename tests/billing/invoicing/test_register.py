"""The online register of VAT ids: its answer is kept, and its outage blocks nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from django.db import transaction

from accounts.models import Organization
from billing import accounts
from billing.invoicing import register, tax
from billing.models import BillingAccount
from tests import factories

LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def account(organization: Organization, settings: Any) -> BillingAccount:
    settings.VAT_ID_REGISTER = "http://127.0.0.1:9/rest-api"
    settings.SELLER = {**settings.SELLER, "country": "DE", "vat_id": "DE136695976"}
    made = factories.billing_account(organization, country="AT")
    with transaction.atomic():
        return accounts.update(made, {"vat_id": "ATU13585627"})


def now_of(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


@pytest.mark.parametrize("answer", [True, False])
def test_its_answer_is_kept_and_counts(account: BillingAccount, monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(register, "ask", lambda vat_id: answer)
    assert register.sweep(LATER) == 1
    row = now_of(account)
    assert (row.vat_id_valid, row.vat_id_checked_at, row.vat_id_due_at) == (answer, LATER, None)
    assert tax.is_reverse_charge(row) is answer
    assert register.sweep(LATER) == 0


def test_while_it_is_down_the_form_counts(account: BillingAccount) -> None:
    assert register.sweep(LATER) == 0
    row = now_of(account)
    assert (row.vat_id_valid, row.vat_id_due_at) == (None, LATER + register.RETRY)
    assert tax.is_reverse_charge(row)


@pytest.mark.parametrize("body", [b"<html>", b'{"isValid": "yes"}', b"{}", b"[]"])
def test_an_answer_that_is_none_is_no_answer(
    account: BillingAccount, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 200, body
    monkeypatch.setattr(requests, "get", lambda *args, **options: answer)
    assert register.sweep(LATER) == 0
    assert now_of(account).vat_id_valid is None


def test_another_vat_id_is_asked_about_again(account: BillingAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "ask", lambda vat_id: True)
    register.sweep(LATER)
    with transaction.atomic():
        accounts.update(account, {"vat_id": "ATU37675002"})
    assert now_of(account).vat_id_valid is None
    assert register.sweep(LATER) == 1
