"""Who may change whose privileges, passwords and groups in the admin: a matrix of operators, people and fields."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.lib import form_ids
from accounts.models import Email, User
from apikeys.models import ApiKey
from tests import factories
from tests.browser import form_of, signed_in

# What each operator holds.
OPERATORS: dict[str, list[str]] = {
    "looker": ["view_user"],
    "support": ["view_user", "change_user"],
    "lead": ["view_user", "change_user", "view_group", "add_group", "change_group", "delete_group"],
    "superuser": [],
}
# The person to edit, and their privileges.
PEOPLE: dict[str, list[str]] = {
    "customer": [],
    "looker": ["view_user"],
    "lead": OPERATORS["lead"],
    "retired superuser": [],
    "superuser": [],
}
# Whom each operator may edit at all; "self" is the operator's own form.
MAY_EDIT: dict[str, set[str]] = {
    "looker": set(),
    "support": {"customer", "looker", "self"},
    "lead": {"customer", "looker", "lead", "self"},
    "superuser": {*PEOPLE, "self"},
}
EDITORS = {"support", "lead", "superuser"}
# A change to the form, and the operators for whom the form has it, given that they may edit the person.
FIELDS: dict[str, tuple[Callable[[], dict[str, Any]], set[str]]] = {
    "is_superuser": (lambda: {"is_superuser": "on"}, {"superuser"}),
    "is_staff": (lambda: {"is_staff": "on"}, {"superuser"}),
    "a group beyond": (lambda: {"groups": [group("cashiers").pk]}, {"superuser"}),
    "a group within": (lambda: {"groups": [group("lookers").pk]}, EDITORS),
    "a permission beyond": (lambda: {"user_permissions": [permission("add_apikey").pk]}, {"superuser"}),
    "a permission within": (
        lambda: {"user_permissions": [permission("view_user").pk]},
        {"support", "lead", "superuser"},
    ),
    "email": (lambda: {"email": "taken-over@example.com"}, {"support", "lead", "superuser"}),
    "is_active": (lambda: {"is_active": ""}, {"support", "lead", "superuser"}),
}


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def group(name: str) -> Group:
    return Group.objects.get(name=name)


@pytest.fixture(autouse=True)
def _groups(db: None) -> None:
    for name, codenames in {"cashiers": ["add_ledgerentry"], "lookers": ["view_user"]}.items():
        Group.objects.create(name=name).permissions.set([permission(codename) for codename in codenames])


def person(name: str, codenames: list[str]) -> User:
    made = User.objects.create_user(
        f"{factories.unique(name.split()[-1])}@example.com",
        factories.PASSWORD,
        is_staff=name != "customer",
        is_superuser="superuser" in name,
        is_active="retired" not in name,
    )
    made.user_permissions.set([permission(codename) for codename in codenames])
    return made


def state(user: User) -> dict[str, Any]:
    user.refresh_from_db()
    columns = ("is_superuser", "is_staff", "is_active", "email", "password")
    held = {"groups": set(user.groups.all()), "user_permissions": set(user.user_permissions.all())}
    return {**{name: getattr(user, name) for name in columns}, **held}


def page_of(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def edit(browser: Client, user: User, fields: dict[str, Any]) -> None:
    browser.post(page_of(user), {**form_of(browser.get(page_of(user))), **fields})


@pytest.mark.parametrize("target", [*PEOPLE, "self"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_field_changes_only_for_those_who_may(operator: str, target: str) -> None:
    actor = person(operator, OPERATORS[operator])
    user = actor if target == "self" else person(target, PEOPLE[target])
    browser, before = signed_in(actor), state(user)
    form = form_of(browser.get(page_of(user)))
    for field, (fields, who) in FIELDS.items():
        with transaction.atomic():  # each field from the same start
            browser.post(page_of(user), {**form, **fields()})
            allowed = target in MAY_EDIT[operator] and operator in who
            assert state(user) == ({**before, **_set(fields())} if allowed else before), field
            transaction.set_rollback(True)


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    """The state of a user after the form set these fields."""
    models: dict[str, Any] = {"groups": Group, "user_permissions": Permission}
    boxes = {"on": True, "": False}
    return {
        name: set(models[name].objects.filter(pk__in=value)) if name in models else boxes.get(value, value)
        for name, value in fields.items()
    }


@pytest.mark.parametrize("target", [*PEOPLE, "self"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_reset_is_sent_and_factors_are_removed_only_by_those_who_may(operator: str, target: str) -> None:
    actor = person(operator, OPERATORS[operator])
    user = actor if target == "self" else person(target, PEOPLE[target])
    Authenticator.objects.create(user=user, type="totp", data={})
    for action in ("send_reset", "remove_factors"):
        signed_in(actor).post(
            reverse("admin:accounts_user_changelist"), {"action": action, "_selected_action": user.pk}
        )
    allowed = target in MAY_EDIT[operator]
    assert Email.objects.filter(template="password_reset", to=user.email).exists() is allowed
    assert Authenticator.objects.filter(user=user).exists() is not allowed


@pytest.mark.parametrize("operator", ["approver", "superuser"])
def test_only_superusers_change_who_approves_requests(operator: str) -> None:
    """Else an operator becomes the second person by giving their colleague an address of their own."""
    actor = person(operator, ["view_user", "change_user", "approve_changerequest"])
    colleague = person("colleague", ["approve_changerequest"])
    Authenticator.objects.create(user=colleague, type="totp", data={})
    browser, before = signed_in(actor), state(colleague)
    edit(browser, colleague, {"email": "taken-over@example.com"})
    form = {"action": "remove_factors", "_selected_action": colleague.pk}
    browser.post(reverse("admin:accounts_user_changelist"), form)
    assert (state(colleague) == before) is (operator == "approver")
    assert Authenticator.objects.filter(user=colleague).exists() is (operator == "approver")


def test_no_page_of_the_admin_sets_a_password(db: None) -> None:
    actor = person("superuser", OPERATORS["superuser"])
    assert signed_in(actor).get(f"/admin/accounts/user/{actor.pk}/password/").status_code in (302, 404)
    with pytest.raises(NoReverseMatch):
        reverse("admin:auth_user_password_change", args=[actor.pk])


@pytest.mark.parametrize(
    ("operator", "name", "codenames", "allowed"),
    [
        ("support", "lookers", ["view_user"], False),  # has no permission to change groups
        ("lead", "lookers", ["view_user", "change_user"], True),
        ("lead", "lookers", ["add_ledgerentry"], False),  # beyond the operator
        ("lead", "cashiers", ["view_user"], False),  # the group is beyond the operator
        ("superuser", "cashiers", ["add_apikey"], True),
    ],
)
def test_a_group_gets_only_what_the_operator_holds(
    operator: str, name: str, codenames: list[str], allowed: bool
) -> None:
    browser = signed_in(person(operator, OPERATORS[operator]))
    before = set(group(name).permissions.values_list("codename", flat=True))
    chosen = [permission(codename).pk for codename in codenames]
    browser.post(reverse("admin:auth_group_change", args=[group(name).pk]), {"name": name, "permissions": chosen})
    assert set(group(name).permissions.values_list("codename", flat=True)) == (set(codenames) if allowed else before)


@pytest.mark.parametrize(
    ("operator", "codename", "allowed"),
    [("support", "view_user", False), ("lead", "view_user", True), ("lead", "add_ledgerentry", False)],
)
def test_a_new_group_holds_only_what_the_operator_holds(operator: str, codename: str, allowed: bool) -> None:
    browser = signed_in(person(operator, OPERATORS[operator]))
    browser.post(reverse("admin:auth_group_add"), {"name": "new", "permissions": [permission(codename).pk]})
    assert Group.objects.filter(name="new").exists() is allowed


@pytest.mark.parametrize(
    ("operator", "name", "allowed"),
    [
        ("support", "lookers", False),
        ("lead", "lookers", True),
        ("lead", "cashiers", False),
        ("superuser", "cashiers", True),
    ],
)
def test_a_group_is_deleted_only_by_those_who_hold_it(operator: str, name: str, allowed: bool) -> None:
    browser = signed_in(person(operator, OPERATORS[operator]))
    browser.post(reverse("admin:auth_group_delete", args=[group(name).pk]), {"post": "yes"})
    assert Group.objects.filter(name=name).exists() is not allowed


def test_what_a_group_gives_counts_as_held(db: None) -> None:
    """In both directions: operators can grant privileges that they have through a group, and can't edit people who have
    more through a group.
    """
    actor = person("support", OPERATORS["support"])
    actor.groups.add(group("cashiers"))
    user = person("customer", [])
    edit(signed_in(actor), user, {"groups": [group("cashiers").pk]})
    assert list(user.groups.all()) == [group("cashiers")]
    below = person("support", OPERATORS["support"])
    edit(signed_in(below), user, {"email": "taken-over@example.com"})
    assert state(user)["email"] != "taken-over@example.com"


@pytest.mark.parametrize(("operator", "allowed"), [("superuser", True), ("lead", False)])
def test_only_a_superuser_makes_a_platform_key(operator: str, allowed: bool) -> None:
    """Not even people with Django's permission to add keys, because a platform key may do more than its maker."""
    browser = signed_in(person(operator, [*OPERATORS[operator], "add_apikey", "view_apikey"]))
    form_data = {"name": "backend", "scopes": ["credits:read", "provisioning:read"], "form_id": form_ids.new()}
    assert browser.post(reverse("admin:apikeys_apikey_add"), form_data).status_code == (200 if allowed else 403)
    assert [key.permissions for key in ApiKey.objects.all()] == ([form_data["scopes"]] if allowed else [])


def test_the_admins_own_password_page_leads_to_ours(db: None) -> None:
    browser = signed_in(person("support", OPERATORS["support"]))
    assert browser.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
