"""Rows of a list as CSV: only for those who may, and in the history."""

import csv
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.admin import exporting
from accounts.models import Organization, User
from tests import factories
from tests.browser import messages_of, signed_in

ORGANIZATIONS = reverse("admin:accounts_organization_changelist")


def export(browser: Client, *chosen: Organization, query: str = "") -> Any:
    body = {"action": "export_rows", "_selected_action": [str(row.pk) for row in chosen]}
    return browser.post(f"{ORGANIZATIONS}{query}", body)


def rows_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_the_chosen_rows_leave_as_the_list_shows_them(operator: Client, organization: Organization) -> None:
    organization.name = "=cmd()"
    organization.save(update_fields=["name"])
    answer = export(operator, organization, query="?q=cmd")
    assert 'filename="organizations.csv"' in answer["Content-Disposition"]
    header, row = rows_of(answer)
    assert (header[:2], row[0], row[1]) == (["name", "public id"], "'=cmd()", organization.public_id)
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.user_id) == ("1 organizations", int(operator.session["_auth_user_id"]))
    assert "Exported 1 rows as CSV. Search: q=*" in entry.get_change_message()
    assert entry.object_repr in operator.get(reverse("admin:admin_logentry_changelist")).content.decode()


def test_who_may_only_look_exports_nothing(db: None, organization: Organization) -> None:
    looker = User.objects.create_user(f"{factories.unique('looker')}@example.com", "x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_organization"))
    browser = signed_in(looker)
    assert "export_rows" not in browser.get(ORGANIZATIONS).content.decode()
    assert "Content-Disposition" not in export(browser, organization)
    assert not LogEntry.objects.exists()


def test_only_so_many_leave_at_once(
    operator: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST", 0)
    answer = export(operator, organization)
    assert messages_of(answer) == ["At most 0 rows are exported at once. Filter the list."]
    assert not LogEntry.objects.exists()
