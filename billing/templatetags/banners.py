from typing import Any

from django import template

from billing import attention, clock

register = template.Library()


@register.inclusion_tag("billing/banners.html", takes_context=True)
def banners(context: Any) -> dict[str, Any]:
    """The urgent alerts of the organization that the page is about."""
    organization = context.get("organization")
    if organization is None:
        return {"alerts": []}
    alerts = attention.urgent(organization, context.get("scopes", frozenset()), clock.now(organization))
    return {"alerts": alerts}
