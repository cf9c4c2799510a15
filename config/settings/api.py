"""The REST API (Django REST framework) and its OpenAPI document (drf-spectacular)."""

from typing import Any

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apikeys.authentication.ApiKeyAuthentication",
        "accounts.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["apikeys.throttling.Throttle"],
    "DEFAULT_PARSER_CLASSES": ["config.api.json.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.json.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.Schema",
    "EXCEPTION_HANDLER": "config.api.errors.exception_handler",
    "COERCE_DECIMAL_TO_STRING": False,
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.json.JSONOnly",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Tollgate",
    "DESCRIPTION": "Organizations, API keys, credits and usage.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_event_types",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatusEnum": "accounts.models.webhooks.Delivery.Status",
        "WebhookEndpointStatusEnum": "accounts.models.webhooks.WebhookEndpoint.Status",
        "HoldStatusEnum": "billing.models.holds.Hold.Status",
        "InvitationStatusEnum": "accounts.models.invitations.STATUSES",
        "RoleEnum": "accounts.models.organizations.Membership.Role",
        "IntervalEnum": "billing.models.catalog.Interval",
        "SubscriptionStatusEnum": "billing.models.subscriptions.Subscription.Status",
        "OrganizationStatusEnum": "accounts.models.organizations.Organization.Status",
    },
}
