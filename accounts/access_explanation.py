"""Why a credential may not do something: the reason behind the 403 of a request."""

from dataclasses import dataclass
from enum import StrEnum

from accounts import scopes, security
from accounts.credentials import Credential
from accounts.lib.problems import Forbidden


class Reason(StrEnum):
    """In the order in which they are checked. Fix the first one that applies first."""

    ORGANIZATION_REQUIRED = "organization_required"
    PROVISIONING_REQUIRED = "provisioning_required"
    PLATFORM_KEY_REQUIRED = "platform_key_required"
    NOT_A_MEMBER = "not_a_member"
    ROLE_LACKS_IT = "role_lacks_it"
    NOT_GRANTED = "not_granted_to_credential"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    LIVE_KEY_REQUIRED = "live_key_required"
    SUSPENDED = "organization_suspended"
    NETWORK = "network_not_allowed"
    TWO_FACTOR = "two_factor_required"
    SESSION_TOO_OLD = "session_too_old"
    SIGN_IN_METHOD = "sign_in_method_not_allowed"


@dataclass(frozen=True)
class Explanation:
    scope: str
    reason: Reason


_ANY_ROLE = scopes.of_roles(scopes.BY_ROLE)


def explain(credential: Credential, *, address: str) -> list[Explanation]:
    """One refusal for each scope that a request with this credential from this address would lack."""
    organization = credential.organization
    policy = _policy_reason(credential, address) if organization else None
    reasons = ((scope, _reason(credential, scope, policy)) for scope in sorted(scopes.ALL))
    return [Explanation(scope, reason) for scope, reason in reasons if reason]


def _policy_reason(credential: Credential, address: str) -> Reason | None:
    """Why the security policy refuses the credential, whatever the scope."""
    assert credential.organization is not None
    try:
        security.check(credential, credential.organization, address)
    except Forbidden as refusal:
        return Reason(refusal.code)
    return None


def _reason(credential: Credential, scope: str, policy: Reason | None) -> Reason | None:
    if credential.is_platform:
        return _platform_reason(credential, scope)
    if scope not in _ANY_ROLE:
        return Reason.PLATFORM_KEY_REQUIRED
    if credential.organization is None or not credential.held:
        return Reason.NOT_A_MEMBER
    if scope not in credential.held:
        return Reason.ROLE_LACKS_IT
    if scope not in credential.cap:
        return Reason.NOT_GRANTED
    if not credential.is_proved and scope not in scopes.READS:
        return Reason.EMAIL_NOT_VERIFIED
    if credential.is_test and scope not in scopes.OF_TEST_KEYS:
        return Reason.LIVE_KEY_REQUIRED
    if scope not in credential.scopes:
        return Reason.SUSPENDED
    return policy


def _platform_reason(credential: Credential, scope: str) -> Reason | None:
    """Some scopes open nothing by themselves: they are used on behalf of an organization."""
    if scope not in scopes.PLATFORM:
        return Reason.ORGANIZATION_REQUIRED
    if scope not in credential.scopes:
        return Reason.NOT_GRANTED
    if scope in scopes.GATEWAY | scopes.OF_COMPANY:
        return None
    needed = scopes.provisioning(reads=scope in scopes.READS)
    return None if needed in credential.scopes else Reason.PROVISIONING_REQUIRED
