"""The registry of event types: valid, complete, and published."""

import re

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator

from accounts import events
from accounts.events import catalog
from accounts.models import Event, Organization
from tests.conftest import Api


@pytest.mark.parametrize("type", events.TYPES.values(), ids=lambda type: type.name)
def test_the_example_of_each_type_fits_its_schema(type: events.EventType) -> None:
    Draft202012Validator.check_schema(type.schema)
    Draft202012Validator({**type.schema, "additionalProperties": False}).validate(dict(type.example))


def test_names_are_those_of_standard_webhooks() -> None:
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) and len(name) <= 60 for name in events.TYPES)


def test_an_unregistered_type_raises_and_leaves_nothing(organization: Organization) -> None:
    with pytest.raises(events.UnregisteredEventType):
        events.record(organization.pk, "nothing.happened", {}, timezone.now())
    assert not Event.objects.exists()


def test_a_type_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        catalog.register(events.TYPES["budget.crossed"])


def test_all_types_are_in_the_openapi_document(db: None) -> None:
    document = Api().get("/v1/openapi.json").json()
    assert document["webhooks"].keys() == events.TYPES.keys()
    published = document["webhooks"]["budget.crossed"]["post"]["requestBody"]["content"]["application/json"]
    Draft202012Validator(published["schema"]).validate(published["example"])
