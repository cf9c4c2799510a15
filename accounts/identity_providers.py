"""Organizations' own providers of sign-ins. Operators enter them, since they know whose a domain is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import events
from accounts.lib.problems import Conflict
from accounts.models import IdentityProvider, ProviderDomain
from accounts.providers import registry

FIELDS = ("name", "issuer", "client_id", "is_enabled")


class DomainTaken(Conflict):
    """The domain already belongs to another provider."""

    code = "domain_taken"

    def __init__(self, domain: str) -> None:
        super().__init__(f"{domain} leads to another provider already.")


@transaction.atomic
def save(
    row: IdentityProvider, params: Mapping[str, Any], *, domains: Sequence[str] | None, secret: str, now: datetime
) -> None:
    """Create the provider, or update the fields in `params`. If there are no domains, or the secret is empty, the
    existing ones stay.
    """
    is_new = row._state.adding
    before = {**_fields(row), "domains": [] if is_new else _domains(row)}
    for name, value in params.items():
        setattr(row, name, value)
    if secret:
        row.client_secret = registry.seal(secret)
    columns = [*params, *(["client_secret"] if secret else [])]
    row.save(update_fields=None if is_new else columns)
    if domains is not None:
        _set_domains(row, domains)
    after = {**_fields(row), "domains": _domains(row)}
    named, targets = {"identity_provider": row.public_id}, [row.public_id]
    if is_new:
        data = {**named, "domains": after["domains"]}
        events.record(row.organization_id, "identity_provider.created", data, now, targets=targets)
        return
    if secret:
        before, after = {**before, "client_secret": None}, {**after, "client_secret": "new"}
    events.record_change(row.organization_id, "identity_provider.changed", before, after, now, targets=targets, **named)


def _fields(row: IdentityProvider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _domains(row: IdentityProvider) -> list[str]:
    return sorted(row.domains.values_list("domain", flat=True))


def _set_domains(row: IdentityProvider, domains: Sequence[str]) -> None:
    row.domains.exclude(domain__in=domains).delete()
    for domain in domains:
        made, _ = ProviderDomain.objects.get_or_create(domain=domain, defaults={"provider": row})
        if made.provider_id != row.pk:
            raise DomainTaken(domain)
