from typing import Any

from django import template
from django.utils import timezone

from accounts import scopes, visits
from accounts.models import Organization

SHOWN = 10

register = template.Library()


@register.inclusion_tag("accounts/sections.html", takes_context=True)
def sections(context: Any) -> dict[str, Any]:
    """The sections of the organization that the page is about; on a page about the person, of their current one."""
    user = context["request"].user
    here, held = context.get("organization"), context.get("scopes", frozenset())
    current = getattr(user, "current_organization", None)
    if here is None and current and (roles := current.roles_of(user)):
        here, held = current, scopes.of_roles(roles)
    return {"here": here, "scopes": held, "section": context.get("section", ""), "q": context.get("q", "")}


@register.inclusion_tag("components/visits.html", takes_context=True)
def operator_visits(context: Any) -> dict[str, Any]:
    """The operators' visits to the organization's pages, for its own people."""
    organization, now = context.get("organization"), timezone.now()
    shown = visits.recent(organization, now) if organization else []
    return {"visits": [(visit, visit.is_live(now)) for visit in shown], "zone": context.get("zone")}


@register.inclusion_tag("accounts/switcher.html", takes_context=True)
def organization_switcher(context: Any) -> dict[str, Any]:
    """The organizations of the person who is signed in; the whole list has a page of its own."""
    visible = Organization.objects.visible_to(context["request"].user).order_by("name", "pk")
    return {
        "request": context["request"],
        "csrf_token": context.get("csrf_token"),
        "organization": context.get("organization"),
        "others": (shown := list(visible[: SHOWN + 1]))[:SHOWN],
        "has_more": len(shown) > SHOWN,
    }
