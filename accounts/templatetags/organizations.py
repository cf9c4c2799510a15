from typing import Any

from django import template

from accounts.models import Organization

SHOWN = 10

register = template.Library()


@register.inclusion_tag("accounts/switcher.html", takes_context=True)
def organization_switcher(context: Any) -> dict[str, Any]:
    """The organizations of the person who is signed in; the whole list has a page of its own."""
    visible = Organization.objects.visible_to(context["request"].user).order_by("name", "pk")
    return {
        "request": context["request"],
        "csrf_token": context.get("csrf_token"),
        "organization": context.get("organization"),
        "others": visible[:SHOWN],
    }
