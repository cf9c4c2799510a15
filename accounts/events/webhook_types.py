"""The events of webhook endpoints."""

from collections.abc import Mapping

from accounts.events.catalog import FIELDS, INTEGER, NAMES, TEXT, EventType, Schema, register

ENDPOINT: Mapping[str, Schema] = {"webhook_endpoint": TEXT}
AN_ENDPOINT = {"webhook_endpoint": "we_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f"}
OF_ENDPOINT: Mapping[str, Schema] = {
    **ENDPOINT,
    "url": {**TEXT, "description": "Its host: the path and the query may hold a secret"},
    "description": TEXT,
    "event_types": NAMES,
    "includes_subtree": {"type": "boolean"},
}

register(
    EventType(
        "webhook_endpoint.created",
        "A webhook endpoint was created.",
        OF_ENDPOINT,
        {
            **AN_ENDPOINT,
            "url": "https://example.com/…",
            "description": "",
            "event_types": ["*"],
            "includes_subtree": False,
        },
    ),
    EventType(
        "webhook_endpoint.changed",
        "A webhook endpoint was changed.",
        {**ENDPOINT, "before": FIELDS, "after": FIELDS},
        {**AN_ENDPOINT, "before": {"description": ""}, "after": {"description": "Billing"}},
    ),
    EventType(
        "webhook_endpoint.secret_rotated",
        "A webhook endpoint's secret was replaced. The previous one works for `overlap_seconds`.",
        {**ENDPOINT, "overlap_seconds": INTEGER},
        {**AN_ENDPOINT, "overlap_seconds": 86400},
    ),
    EventType("webhook_endpoint.enabled", "A webhook endpoint was enabled again.", ENDPOINT, AN_ENDPOINT),
    EventType(
        "webhook_endpoint.disabled",
        "A webhook endpoint was disabled: `manually`, because it was `failing` for five days, or is `gone`.",
        {**ENDPOINT, "reason": TEXT},
        {**AN_ENDPOINT, "reason": "failing"},
    ),
    EventType("webhook_endpoint.deleted", "A webhook endpoint was deleted.", ENDPOINT, AN_ENDPOINT),
    EventType(
        "webhook_endpoint.redelivered",
        "Deliveries of a webhook endpoint are being resent.",
        {**ENDPOINT, "deliveries": INTEGER},
        {**AN_ENDPOINT, "deliveries": 12},
    ),
    EventType(
        "webhook_endpoint.tested",
        "A test event, sent to one endpoint only. It is in no list and has no sequence.",
        ENDPOINT,
        AN_ENDPOINT,
    ),
)
