"""The credential of a request: whom it acts for, and which scopes it currently has."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from rest_framework.request import Request

from accounts import scopes
from accounts.models import Organization, User


class Kind(StrEnum):
    TOKEN = "token"  # noqa: S105
    API_KEY = "api_key"
    PLATFORM_KEY = "platform_key"
    SESSION = "session"
    VISIT = "visit"  # an operator who looks at a customer's pages


@dataclass(frozen=True)
class Credential:
    """`cap` is what the token or key was given; `held` is what its person (or the platform) holds now.

    `sign_in` is the `sid` of an access token's family. `is_proved` is false while the person's address is not proved.
    `second_factor`, `signed_in_at` and `sign_in_method` are of a person's own sign-in, and say nothing of a key.
    """

    kind: Kind
    id: str
    user: User | None
    organization: Organization | None
    timezone: str
    cap: frozenset[str]
    held: frozenset[str]
    is_operational: bool = True
    permissions: tuple[str, ...] = ()
    sign_in: UUID | None = None
    is_test: bool = False
    is_proved: bool = True
    second_factor: bool = False
    signed_in_at: datetime | None = None
    sign_in_method: str = ""

    @property
    def granted(self) -> frozenset[str]:
        """What the token or key was given and its person still holds."""
        return self.cap & self.held

    @property
    def scopes(self) -> frozenset[str]:
        """What the credential may do now. A suspended organization keeps little of it, and so does a test key.

        A person whose address is not proved only looks, and so do their keys.
        """
        usable = self.granted if self.is_operational else self.granted & scopes.WHILE_SUSPENDED
        usable = usable if self.is_proved else usable & scopes.READS
        return usable & scopes.OF_TEST_KEYS if self.is_test else usable

    @property
    def is_platform(self) -> bool:
        return self.kind is Kind.PLATFORM_KEY

    def in_organization(self, organization: Organization, held: frozenset[str]) -> "Credential":
        """The same credential in another organization, where its person holds `held`."""
        return replace(self, organization=organization, held=held, is_operational=organization.is_operational)


def credential_of(request: Request) -> Credential:
    """The credential of a request that passed a permission check."""
    credential = request.auth
    assert isinstance(credential, Credential)
    return credential


def organization_of(request: Request) -> Organization:
    """The organization that a request acts for. `HasScope` has made sure that there is one."""
    organization = credential_of(request).organization
    assert organization is not None
    return organization


def owner_of(request: Request) -> Organization | None:
    """The organization whose webhooks or audit log a request is about; None for the company's own."""
    return credential_of(request).organization
