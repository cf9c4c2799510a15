"""Subaccounts, as Plivo calls them: child organizations, each made together with an API key, its token."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import people, tree
from accounts.models import Organization
from apikeys import departures, keys
from apikeys.authentication import KeyCredential


@transaction.atomic
def create(parent: Organization, *, name: str, enabled: bool, by: KeyCredential) -> tuple[Organization, str]:
    """A child of `parent`, suspended unless `enabled`, and the secret of its key, which may do what the caller may."""
    child = people.add_child(parent, name=name)
    _, secret = keys.create(
        child,
        name="Auth token",
        created_by=by.user,
        maker=by.key,
        permissions=by.permissions,
    )
    if not enabled:
        tree.suspend(child, by=by)
    return child, secret


@transaction.atomic
def update(subaccount: Organization, changes: Mapping[str, Any], *, by: KeyCredential) -> None:
    """Change `name` and `enabled`, if they are given."""
    tree.change(subaccount, {"name": changes["name"]} if "name" in changes else {})
    if "enabled" in changes:
        (tree.resume if changes["enabled"] else tree.suspend)(subaccount, by=by)


@transaction.atomic
def close(subaccount: Organization) -> None:
    """Close a subaccount for good and revoke all keys in and beneath it. Its usage stays, and stays owed."""
    Organization.objects.lock(subaccount.root_id)  # so that no child is added meanwhile
    departures.close(subaccount, timezone.now())
