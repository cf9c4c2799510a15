from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.lib.money import LARGEST
from billing.api.fields import AmountSerializerField
from usage.metering.parsing import BATCH_LIMIT


class EventSerializer(serializers.Serializer[Any]):
    """One usage event, for the schema only; `usage.metering.parsing` checks events, one by one."""

    id = serializers.CharField(max_length=100)
    key_id = serializers.CharField(required=False)
    organization = serializers.CharField(required=False)
    meter = serializers.CharField(max_length=50)
    endpoint = serializers.CharField(required=False)
    quantity = AmountSerializerField(required=False, default=Decimal(1), min_value=Decimal(0), max_value=LARGEST)
    status = serializers.CharField(required=False, default="success", help_text="success, failed or an HTTP status")
    occurred_at = serializers.DateTimeField(required=False)
    hold = serializers.CharField(required=False, help_text="A hold or a lease of the same organization (hold_…)")
    properties = serializers.DictField(required=False)


class EventsSerializer(serializers.Serializer[Any]):
    events = serializers.ListField(child=EventSerializer(), min_length=1, max_length=BATCH_LIMIT)


class CloudEventDataSerializer(serializers.Serializer[Any]):
    """All other members are the event's properties."""

    quantity = AmountSerializerField(required=False, default=Decimal(1), min_value=Decimal(0), max_value=LARGEST)
    endpoint = serializers.CharField(required=False)
    status = serializers.CharField(required=False, default="success", help_text="success, failed or an HTTP status")
    hold = serializers.CharField(required=False)


class CloudEventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0, for the schema only; `usage.metering.cloudevents` checks them, one by one."""

    specversion = serializers.CharField(help_text="1.0")
    id = serializers.CharField(max_length=1000, help_text="Together with `source`, the event's identity")
    source = serializers.CharField(max_length=1000)  # type: ignore[assignment]
    type = serializers.CharField(max_length=50, help_text="The meter")
    subject = serializers.CharField(max_length=40, help_text="A key (key_…) or an organization (acct_…)")
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
