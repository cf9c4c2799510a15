"""The tree itself: who sees which part of it, and changes that the database refuses for everyone."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import people
from accounts.lib.problems import Conflict
from accounts.models import Membership, Organization, User
from billing.models import BillingAccount, LedgerAccount
from tests import factories


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Child")


def test_visible_to_reaches_down_and_never_up_or_sideways(
    alice: User, charlie: User, organization: Organization, child: Organization
) -> None:
    sibling = people.add_child(organization, name="Sibling")
    leaf = people.add_child(child, name="Leaf")
    factories.join(charlie, child, "viewer")
    assert set(Organization.objects.visible_to(alice)) == {organization, child, sibling, leaf}
    assert set(Organization.objects.visible_to(charlie)) == {charlie.current_organization, child, leaf}


def test_visible_to_names_an_organization_once_however_many_roles_reach_it(alice: User, child: Organization) -> None:
    factories.join(alice, child, "viewer")
    assert Organization.objects.visible_to(alice).filter(pk=child.pk).count() == 1


def test_visible_to_is_one_query(alice: User, child: Organization, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert len(Organization.objects.visible_to(alice)) == 2


def test_roles_of_parents_add_up(alice: User, child: Organization) -> None:
    factories.join(alice, child, "viewer")
    assert child.roles_of(alice) == {"owner", "viewer"}


def test_within_is_the_organization_and_all_beneath(organization: Organization, child: Organization) -> None:
    leaf = people.add_child(child, name="Leaf")
    assert set(Organization.objects.within(child)) == {child, leaf}


@pytest.mark.parametrize("stopped", ["suspended", "closed"])
def test_operational_means_that_no_ancestor_is_stopped(
    organization: Organization, child: Organization, charlie: User, stopped: str
) -> None:
    leaf = people.add_child(child, name="Leaf")
    Organization.objects.filter(pk=child.pk).update(status=stopped)
    operational = set(Organization.objects.operational())
    assert organization in operational
    assert charlie.current_organization in operational
    assert not {child, leaf} & operational


def test_a_seventh_level_is_refused_before_the_database_is_asked(organization: Organization) -> None:
    node = organization
    for level in range(2, 7):
        node = people.add_child(node, name=f"Level {level}")
    with pytest.raises(Conflict):
        people.add_child(node, name="Level 7")


# What follows goes round the model: the database is the last to refuse.


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


def test_the_database_refuses_a_seventh_level(organization: Organization) -> None:
    seven = [organization.pk, *(uuid4() for _ in range(6))]
    with refused("organization_depth"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(path=seven)


def test_the_database_refuses_an_empty_path(organization: Organization) -> None:
    with refused("organization_depth"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(path=[])


def test_the_database_refuses_a_path_that_starts_elsewhere(child: Organization, charlie: User) -> None:
    elsewhere = charlie.current_organization_id
    with refused("organization_path_starts_at_root"), transaction.atomic():
        Organization.objects.filter(pk=child.pk).update(path=[elsewhere, child.pk])


def test_the_database_refuses_a_child_in_another_tree_than_its_path(child: Organization, charlie: User) -> None:
    with refused("organization_path_starts_at_root"), transaction.atomic():
        Organization.objects.filter(pk=child.pk).update(root=charlie.current_organization)


def test_the_database_refuses_a_root_with_a_parent(organization: Organization, charlie: User) -> None:
    with refused("organization_root_has_no_parent"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(parent=charlie.current_organization)


def test_the_database_refuses_a_child_without_a_parent(child: Organization) -> None:
    with refused("organization_root_has_no_parent"), transaction.atomic():
        Organization.objects.filter(pk=child.pk).update(parent=None)


def test_the_database_refuses_to_delete_a_parent(organization: Organization, child: Organization) -> None:
    with refused("foreign key"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk)._raw_delete("default")
        transaction.get_connection().check_constraints()


@pytest.mark.parametrize("field", ["public_id", "auth_id"])
def test_the_database_refuses_a_public_id_twice(organization: Organization, charlie: User, field: str) -> None:
    taken = getattr(organization, field)
    with refused(field), transaction.atomic():
        Organization.objects.visible_to(charlie).update(**{field: taken})


def test_the_database_refuses_a_second_membership(alice: User, organization: Organization) -> None:
    with refused("membership_once"), transaction.atomic():
        Membership.objects.create(user=alice, organization=organization, role="viewer")


def test_the_database_refuses_a_billing_account_of_a_child(child: Organization) -> None:
    with refused("billing_account_on_root"), transaction.atomic():
        BillingAccount.objects.create(organization=child, name="X", email="x@example.com", country="AU")
        transaction.get_connection().check_constraints()


def test_the_database_refuses_a_ledger_of_a_child(child: Organization) -> None:
    with refused("ledger_account_on_root"), transaction.atomic():
        LedgerAccount.objects.create(organization=child, updated_at=timezone.now())
        transaction.get_connection().check_constraints()
