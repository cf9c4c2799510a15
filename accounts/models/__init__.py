"""People, organizations and roles, and what proves a sign-in."""

from accounts.models.email_codes import EmailChange, EmailCode
from accounts.models.emails import Email
from accounts.models.events import Event, PersonalData, PublishedEvent, UnpublishedEvent
from accounts.models.exports import Export, ExportFile
from accounts.models.idempotency import IdempotencyRecord
from accounts.models.installation import Installation
from accounts.models.invitations import Invitation
from accounts.models.notes import OperatorNote
from accounts.models.organizations import Membership, Organization
from accounts.models.providers import IdentityProvider, LinkedAccount, ProviderDomain
from accounts.models.security import SecurityPolicy
from accounts.models.service_accounts import ServiceAccount
from accounts.models.sessions import BrowserSession, SignInChallenge
from accounts.models.sign_ins import KnownNetwork, SignInFailures
from accounts.models.tenancy import TenantQuerySet
from accounts.models.tokens import ReplacedToken, SigningKey, TokenFamily
from accounts.models.users import User
from accounts.models.visits import Visit
from accounts.models.webhooks import Attempt, Delivery, Redelivery, WebhookEndpoint

__all__ = [
    "Attempt",
    "BrowserSession",
    "Delivery",
    "Email",
    "EmailChange",
    "EmailCode",
    "Event",
    "Export",
    "ExportFile",
    "IdempotencyRecord",
    "IdentityProvider",
    "Installation",
    "Invitation",
    "KnownNetwork",
    "LinkedAccount",
    "Membership",
    "OperatorNote",
    "Organization",
    "PersonalData",
    "ProviderDomain",
    "PublishedEvent",
    "Redelivery",
    "ReplacedToken",
    "SecurityPolicy",
    "ServiceAccount",
    "SignInChallenge",
    "SignInFailures",
    "SigningKey",
    "TenantQuerySet",
    "TokenFamily",
    "UnpublishedEvent",
    "User",
    "Visit",
    "WebhookEndpoint",
]
