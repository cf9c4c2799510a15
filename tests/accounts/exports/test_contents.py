"""What an export has: generated from the models, so that a new table can't be forgotten."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.utils import timezone

from accounts.exports.sections import LEFT_OUT, OF_ORGANIZATION, OF_PERSON
from accounts.models import Organization, User
from tests import factories

SECRET = ("secret", "digest", "digests", "password", "private_key", "token", "session_key", "auth_hash", "pepper")
# Columns with such a name that are no secrets.
HARMLESS = {
    ("events", "data"),  # what happened
    ("event_seals", "digest"),  # the seal, which is published
    ("ledger_seals", "digests"),
}


def tables(root: type[Model]) -> set[type[Model]]:
    """The tables whose rows belong to a row of `root`, over however many foreign keys, or by a column of that name.

    People belong to no organization, so what hangs on them alone doesn't either.
    """
    reached: set[type[Model]] = {root}
    while new := {model for model in apps.get_models() if model not in reached | {User} and _refers(model, reached)}:
        reached |= new
    return reached


def _refers(model: type[Model], reached: set[type[Model]]) -> bool:
    fields = model._meta.concrete_fields
    return any(field.related_model in reached for field in fields if field.is_relation) or any(
        field.name in ("account_id", "organization_id") for field in fields
    )


def exported(sections: Any, subject: Any) -> set[type[Model]]:
    return {section.rows(subject).model for section in sections.values()}


def test_every_table_of_an_organization_is_exported_or_left_out_with_a_reason(organization: Organization) -> None:
    missing = tables(Organization) - exported(OF_ORGANIZATION, organization) - LEFT_OUT.keys()
    assert {model._meta.label for model in missing} == set()
    assert all(LEFT_OUT.values())


def test_every_table_of_a_person_is_exported_or_left_out_with_a_reason(alice: User) -> None:
    owned = {
        model
        for model in apps.get_models()
        if any(field.related_model is User for field in model._meta.concrete_fields if field.is_relation)
    }
    missing = owned - exported(OF_PERSON, alice) - LEFT_OUT.keys()
    assert {model._meta.label for model in missing} == set()


@pytest.mark.parametrize("sections", [OF_ORGANIZATION, OF_PERSON], ids=["organization", "person"])
def test_no_column_of_an_export_is_a_secret(organization: Organization, alice: User, sections: Any) -> None:
    subject: Any = organization if sections is OF_ORGANIZATION else alice
    shown = {
        (name, field.name)
        for name, section in sections.items()
        for field in section.rows(subject).model._meta.concrete_fields
        if field.name not in section.without and (field.name == "data" or field.name.endswith(SECRET))
    }
    assert shown - HARMLESS == set()


def test_a_section_is_read_along_a_unique_key(organization: Organization, alice: User) -> None:
    """Otherwise rows with the same key could be lost at the end of a batch."""
    pairs: list[tuple[dict[str, Any], Any]] = [(OF_ORGANIZATION, organization), (OF_PERSON, alice)]
    for sections, subject in pairs:
        for section in sections.values():
            model = section.rows(subject).model
            unique = [tuple(getattr(model._meta.pk, "field_names", ())), ("pk",), ("account_id", "id")]
            unique += [
                tuple(constraint.fields) for constraint in model._meta.constraints if hasattr(constraint, "fields")
            ]
            names = {field.attname: field.name for field in model._meta.concrete_fields}
            keys = {section.order, tuple(names.get(name, name) for name in section.order)}
            assert keys & set(unique), section.name


def test_an_address_that_is_not_proved_shows_no_invitations_to_it(
    organization: Organization, alice: User, bob: User, settings: Any
) -> None:
    settings.EMAIL_VERIFICATION = True
    made = factories.invitation(factories.organization(owner=alice), bob.email, by=alice)
    User.objects.filter(pk=bob.pk).update(email_verified_at=None)
    rows = OF_PERSON["invitations"].rows
    assert [made in rows(User.objects.get(pk=user.pk)) for user in (alice, bob)] == [True, False]
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    assert made in rows(User.objects.get(pk=bob.pk))
