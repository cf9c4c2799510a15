"""The last owner stays, however many go at once."""

from functools import partial
from threading import Barrier
from typing import Any

import pytest

from accounts import members, scopes
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Conflict
from accounts.models import Membership, Organization, User
from accounts.models.organizations import OrganizationQuerySet
from tests import factories
from tests.concurrency import race


def person(user: User, organization: Organization) -> Credential:
    held = scopes.of_roles(organization.roles_of(user))
    return Credential(Kind.TOKEN, f"user:{user.pk}", user, organization, "UTC", cap=held, held=held)


def owners_leave(count: int = 8) -> tuple[Organization, list[Any]]:
    """As many owners as `count` leave at one moment."""
    organization = factories.organization()
    owners = [factories.user() for _ in range(count)]
    for owner in owners:
        factories.join(owner, organization, "owner")
    leave: list[Any] = [
        partial(members.remove, organization, owner.pk, by=person(owner, organization)) for owner in owners
    ]
    return organization, race(leave)


def test_of_all_owners_who_leave_at_once_one_stays(committed: None) -> None:
    organization, results = owners_leave()
    assert sorted(type(result).__name__ for result in results if result) == ["LastOwner"]
    assert Membership.objects.filter(organization=organization, role="owner").count() == 1


def test_without_the_lock_all_owners_would_leave(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: all have looked before any has left."""
    all_have_looked = Barrier(8)
    kept = members._keep_an_owner

    def look(membership: Membership) -> None:
        kept(membership)
        all_have_looked.wait(timeout=30)

    monkeypatch.setattr(OrganizationQuerySet, "lock", lambda self, pk: self.get(pk=pk))
    monkeypatch.setattr(members, "_keep_an_owner", look)
    organization, results = owners_leave()
    assert results == [None] * 8
    assert not Membership.objects.filter(organization=organization).exists()


def test_two_owners_who_demote_each_other_do_not_both_succeed(committed: None) -> None:
    organization, (first, second) = factories.organization(), (factories.user(), factories.user())
    for owner in (first, second):
        factories.join(owner, organization, "owner")
    calls: list[Any] = [
        partial(members.change_role, organization, target.pk, role="viewer", by=person(actor, organization))
        for actor, target in ((first, second), (second, first))
    ]
    results = race(calls)
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert Membership.objects.filter(organization=organization, role="owner").count() == 1
