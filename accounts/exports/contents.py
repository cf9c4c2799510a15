"""What an export has of the tables of this app, and of those that libraries keep about people."""

from collections.abc import Collection
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.db.models import Model, Q, QuerySet

from accounts.exports.sections import Section, leave_out, of_organization, of_person
from accounts.models import (
    Attempt,
    BrowserSession,
    Delivery,
    EmailChange,
    Event,
    Export,
    ExportFile,
    IdempotencyRecord,
    IdentityProvider,
    Invitation,
    KnownNetwork,
    LinkedAccount,
    Membership,
    OperatorNote,
    Organization,
    PersonalData,
    ProviderDomain,
    PublishedEvent,
    Redelivery,
    ReplacedToken,
    SecurityPolicy,
    ServiceAccount,
    SignInChallenge,
    TokenFamily,
    UnpublishedEvent,
    User,
    Visit,
    WebhookEndpoint,
)

PERSON = ("id", "email", "name", "is_service", "created_at")
LEASE = frozenset({"lease_token", "leased_until", "worked_at", "next_attempt_at"})


def all_but(model: type[Model], names: Collection[str]) -> frozenset[str]:
    return frozenset(field.name for field in model._meta.concrete_fields) - frozenset(names)


def beneath(organization: Organization) -> QuerySet[Organization]:
    """The organization and all beneath it, for the conditions of other tables."""
    return Organization.objects.within(organization)


def _members(organization: Organization) -> QuerySet[User]:
    return User.objects.filter(pk__in=Membership.objects.filter(organization__in=beneath(organization)).values("user"))


def _published(organization: Organization) -> QuerySet[PublishedEvent]:
    return PublishedEvent.objects.filter(event__in=Event.objects.within(organization).values("pk"))


def _personal(organization: Organization) -> QuerySet[PersonalData]:
    return PersonalData.objects.filter(event__in=Event.objects.within(organization).values("pk"))


def _invitations(user: User) -> QuerySet[Invitation]:
    """Invitations that they sent, and those to their address if they have verified it: otherwise it may be somebody
    else's.
    """
    made = Q(invited_by=user)
    return Invitation.objects.filter(made | Q(email=user.email) if user.has_proved_email else made)


def _done_by(user: User) -> QuerySet[Event]:
    """Events that they caused, and events about them."""
    id = f"user:{user.pk}"
    return Event.objects.filter(Q(actor__id=id) | Q(targets__contains=[id]) | Q(context__person=id))


def _endpoints(organization: Organization) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.kept().filter(organization__in=beneath(organization))


of_organization(
    Section("organizations", beneath),
    Section("people", _members, without=all_but(User, PERSON)),
    Section("memberships", lambda o: Membership.objects.filter(organization__in=beneath(o))),
    Section("service_accounts", lambda o: ServiceAccount.objects.within(o)),
    Section(
        "invitations", lambda o: Invitation.objects.filter(organization__in=beneath(o)), without=frozenset({"digest"})
    ),
    Section("security_policies", lambda o: SecurityPolicy.objects.filter(organization__in=beneath(o))),
    Section(
        "identity_providers",
        lambda o: IdentityProvider.objects.filter(organization__in=beneath(o)),
        without=frozenset({"client_secret"}),
    ),
    Section("provider_domains", lambda o: ProviderDomain.objects.filter(provider__organization__in=beneath(o))),
    Section("events", Event.objects.within, without=frozenset({"personal_digest"})),
    Section("event_seals", _published),
    Section("event_personal_data", _personal),
    Section("webhook_endpoints", _endpoints, without=LEASE | {"secret", "previous_secret"}),
    Section(
        "webhook_deliveries",
        lambda o: Delivery.objects.filter(endpoint__in=_endpoints(o)),
        without=frozenset({"body"}),  # it is the event
    ),
    Section("webhook_attempts", lambda o: Attempt.objects.filter(delivery__endpoint__in=_endpoints(o))),
    Section("webhook_redeliveries", lambda o: Redelivery.objects.filter(endpoint__in=_endpoints(o))),
    Section("operator_visits", lambda o: Visit.objects.filter(organization__in=beneath(o))),
    Section("exports", lambda o: Export.objects.filter(organization__in=beneath(o))),
)


def _of(model: Any, *secrets: str) -> Section[User]:
    name = str(model._meta.verbose_name_plural).replace(" ", "_").lower()
    return Section(name, lambda user: model.objects.filter(user=user), without=frozenset(secrets))


of_person(
    Section("profile", lambda user: User.objects.filter(pk=user.pk), without=frozenset({"password"})),
    _of(Membership),
    _of(BrowserSession, "session_key"),
    _of(TokenFamily, "id", "digest", "session_auth_hash"),
    _of(KnownNetwork),
    _of(Authenticator, "data"),
    _of(LinkedAccount),
    _of(EmailAddress),
    _of(EmailChange, "digest"),
    _of(Export),
    Section("service_accounts", lambda user: ServiceAccount.objects.filter(responsible=user)),
    Section("invitations", _invitations, without=frozenset({"digest"})),
    Section("events", _done_by, without=frozenset({"personal_digest"})),
    Section("event_personal_data", lambda user: PersonalData.objects.filter(event__in=_done_by(user).values("pk"))),
    Section("operator_history", lambda user: LogEntry.objects.filter(user=user)),
)
leave_out(
    {
        Visit: "An operator's work, which is the company's; customers find it in their own exports.",
        OperatorNote: "What operators tell each other of a customer.",
        ExportFile: "The files of an export itself.",
        UnpublishedEvent: "Events that wait some seconds for their sequence. The events are there.",
        IdempotencyRecord: "Answers that were given already, kept for a day to give them again.",
        TokenFamily: "Sign-ins of people, which are in their own exports.",
        ReplacedToken: "Digests of refresh tokens that are used up.",
        SignInChallenge: "Digests of sign-ins that wait for a code, for five minutes.",
    }
)
