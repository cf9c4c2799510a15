"""Which providers there are: the installation's by its settings, and organizations' own, which operators enter."""

from dataclasses import dataclass

from django.conf import settings

from accounts.lib import encryption, identifiers, mailboxes
from accounts.models import IdentityProvider

PURPOSE = "identity provider"
PREFIX = "idp_"


@dataclass(frozen=True)
class Provider:
    """`id` also names the way to sign in, as a session and a security policy know it.

    `issuer` is the address of an OpenID Connect provider; GitHub has only a `url`. `vouches` says whether we believe
    that an address that it calls verified is the person's. If it has `domains`, it vouches for these alone.
    """

    id: str
    name: str
    client_id: str
    client_secret: str
    issuer: str = ""
    url: str = ""
    vouches: bool = True
    domains: frozenset[str] | None = None

    def proves(self, email: str) -> bool:
        """Whether we believe the provider when it says that this address is verified."""
        return self.vouches and (self.domains is None or email.rpartition("@")[2] in self.domains)


def of_installation() -> list[Provider]:
    return [Provider(**fields) for fields in settings.SIGN_IN_PROVIDERS]


def find(id: str) -> Provider | None:
    """The provider of this id, which may be an organization's."""
    try:
        row = IdentityProvider.objects.filter(pk=identifiers.uuid_of(id, PREFIX), is_enabled=True).first()
    except ValueError:
        return next((provider for provider in of_installation() if provider.id == id), None)
    return _of_row(row) if row else None


def of_email(email: str) -> Provider | None:
    """The provider of the organization whose people have addresses like this."""
    domain = mailboxes.normalize(email).rpartition("@")[2]
    row = IdentityProvider.objects.filter(domains__domain=domain, is_enabled=True).first()
    return _of_row(row) if row else None


def has_organizations() -> bool:
    return IdentityProvider.objects.filter(is_enabled=True).exists()


def seal(client_secret: str) -> bytes:
    return encryption.encrypt(client_secret.encode(), purpose=PURPOSE)


def _of_row(row: IdentityProvider) -> Provider:
    return Provider(
        id=row.public_id,
        name=row.name,
        client_id=row.client_id,
        client_secret=encryption.decrypt(bytes(row.client_secret), purpose=PURPOSE).decode(),
        issuer=row.issuer,
        domains=frozenset(row.domains.values_list("domain", flat=True)),
    )
