from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.lib.money import LARGEST, ZERO
from billing.api.fields import AmountSerializerField
from usage.metering import cloudevents, parsing


class MeasuredSerializer(serializers.Serializer[Any]):
    """What a plain event and the `data` of a CloudEvent have in common."""

    quantity = AmountSerializerField(required=False, default=Decimal(1), min_value=ZERO, max_value=LARGEST)
    endpoint = serializers.CharField(required=False)
    status = serializers.CharField(required=False, default="success", help_text="success, failed or an HTTP status")
    hold = serializers.CharField(required=False, help_text="A hold or a lease of the same organization (hold_…)")


class EventSerializer(MeasuredSerializer):
    """A usage event, of the key in `key_id` or of the `organization`."""

    id = serializers.CharField(max_length=parsing.ID_LIMIT)
    key_id = serializers.CharField(required=False, max_length=parsing.OWNER_LIMIT)
    organization = serializers.CharField(required=False, max_length=parsing.OWNER_LIMIT)
    meter = serializers.CharField(max_length=parsing.METER_LIMIT)
    occurred_at = serializers.DateTimeField(required=False)
    properties = serializers.DictField(required=False)


class EventsSerializer(serializers.Serializer[Any]):
    events = serializers.ListField(child=EventSerializer(), min_length=1, max_length=parsing.BATCH_LIMIT)


class CloudEventDataSerializer(MeasuredSerializer):
    """All other members are the event's properties."""


class CloudEventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0."""

    specversion = serializers.CharField(help_text="1.0")
    id = serializers.CharField(
        max_length=cloudevents.ATTRIBUTE_LIMIT, help_text="Together with `source`, the event's identity"
    )
    source = serializers.CharField(max_length=cloudevents.ATTRIBUTE_LIMIT)  # type: ignore[assignment]
    type = serializers.CharField(max_length=parsing.METER_LIMIT, help_text="The meter")
    subject = serializers.CharField(
        max_length=parsing.OWNER_LIMIT, help_text="A key (key_…) or an organization (acct_…)"
    )
    time = serializers.DateTimeField(required=False, allow_null=True, help_text="When it occurred; now by default")
    datacontenttype = serializers.CharField(required=False, allow_null=True, help_text="A type of JSON, if given")
    data = CloudEventDataSerializer(required=False, allow_null=True)  # type: ignore[assignment]


class EventResultSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(allow_null=True)
    result = serializers.ChoiceField(["accepted", "duplicate", "rejected"])
    credits = AmountSerializerField()
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class BatchSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    credits = AmountSerializerField()
    results = EventResultSerializer(many=True)
