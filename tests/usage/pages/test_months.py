"""The pages of closed months, and the admin's list of closes."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Organization, User
from tests import factories
from tests.browser import at, signed_in, text
from tests.usage.metering.batches import event, record, this_month
from tests.usage.storage.months import A_MONTH, END, close, frozen
from usage.models import MonthClose

MONTH = this_month(1).date()


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def child(funded: Organization) -> Organization:
    """A month with usage of both, and one with late usage of the child."""
    child = Organization.objects.create_child(funded, name="=Sub")
    record(event(funded, meter="sms", status=500), event(child))
    close(funded)
    record(event(child, meter="sms"))
    close(funded, END + A_MONTH)
    return child


def page(browser: Client, organization: Organization, path: str = "") -> Any:
    return browser.get(f"{at(organization)}usage/months/{path}")


def test_the_months_are_listed_with_their_balance(browser: Client, funded: Organization, child: Organization) -> None:
    answer = page(browser, funded)
    assert [
        (sums["all_requests"], sums["late_requests"], close.closing) for close, sums in answer.context["lines"]
    ] == [
        (1, 1, Decimal("99.979")),
        (2, 0, Decimal("99.989")),
    ]
    assert "Balance" in text(answer)


def test_a_child_sees_its_own_usage_and_no_balance(browser: Client, child: Organization) -> None:
    answer = page(browser, child)
    assert [sums["all_requests"] for _, sums in answer.context["lines"]] == [1, 1]
    assert "Balance" not in text(answer)


def test_a_month_shows_late_usage_as_such_and_gives_csv(
    browser: Client, funded: Organization, child: Organization
) -> None:
    latest = MonthClose.objects.filter(account=funded.pk).latest("month")
    answer = page(browser, funded, f"{latest}/")
    assert f">{MONTH:%B %Y}<" in text(answer)
    lines = page(browser, funded, f"{latest}/?format=csv").content.decode().splitlines()
    row = f"{latest},{child.public_id},'=Sub,sms,message,{MONTH:%Y-%m},1,0,1,0.01"
    assert lines == ["month,organization,name,meter,unit,occurred_in,requests,failed,quantity,credits", row]


@pytest.mark.parametrize("month", ["2015-05", "2015-13", "x"])
def test_a_month_that_is_not_closed_is_no_page(browser: Client, child: Organization, month: str) -> None:
    assert page(browser, child, f"{month}/").status_code == 404


def test_without_a_close_it_says_so(browser: Client, funded: Organization) -> None:
    assert "No month is closed yet" in text(page(browser, funded))


def test_outsiders_see_nothing(charlie: User, funded: Organization) -> None:
    assert page(signed_in(charlie), funded).status_code == 404


def run_again(client: Client, close: MonthClose) -> Any:
    body = {"action": "run_again", "_selected_action": str(close.pk)}
    return client.post(reverse("admin:usage_monthclose_changelist"), body, follow=True)


def test_an_operator_runs_a_close_again_that_was_killed(db: None, funded: Organization) -> None:
    record(event(funded, occurred_at="2015-05-01"))
    operator = signed_in(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))
    started = MonthClose.objects.create(
        account_id=funded.pk, month=MONTH, ends_at=this_month(1), started_at=this_month(1)
    )
    assert "is closed now" in run_again(operator, started).content.decode()
    [row] = frozen(funded)
    assert "stays as it is" in run_again(operator, started).content.decode()
    assert frozen(funded) == [row]


def test_an_operator_without_the_permission_can_not(db: None, funded: Organization) -> None:
    close(funded)
    clerk = User.objects.create_user(f"{factories.unique('clerk')}@example.com", "x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_monthclose"))
    assert "run_again" not in signed_in(clerk).get(reverse("admin:usage_monthclose_changelist")).content.decode()
