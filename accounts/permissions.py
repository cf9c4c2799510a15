"""Who may call a view. Each view declares the scope of each of its actions; an undeclared action is refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import security
from accounts.credentials import Credential, credential_of
from accounts.lib.addresses import client_address
from accounts.lib.problems import Forbidden
from accounts.scopes import OF_TEST_KEYS

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView


class NotAllowed(Forbidden):
    """The credential lacks a scope."""

    code = "insufficient_scope"


class OrganizationSuspended(Forbidden):
    """The organization, or one above it, is suspended or closed."""

    code = "organization_suspended"
    detail = "The organization is suspended."


class PlatformOnly(Forbidden):
    """Only a platform key may do this."""

    code = "platform_key_required"
    detail = "This needs a platform key."


class LiveKeyRequired(Forbidden):
    """A test key moves no money, and changes nothing but test keys."""

    code = "live_key_required"
    detail = "A test key can't do that. Use a live key."


class EmailNotVerified(Forbidden):
    """The person has not shown that the mailbox is theirs. Until then they only look."""

    code = "email_not_verified"
    detail = "Your email address is not verified yet."


class OrganizationRequired(Forbidden):
    """The credential acts for no organization: a platform key, or a person who is in none."""

    code = "organization_required"
    detail = "This credential does not act for an organization."


class Authenticated(BasePermission):
    """Any good credential."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, Credential)


class HasScope(Authenticated):
    """The credential acts for an organization and has the scope that `view.scopes` names for the action."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        action = action_of(request, view)
        if action is None:
            return True  # no such method: the view answers 405
        credential = credential_of(request)
        if credential.organization is None:
            raise OrganizationRequired
        security.check(credential, credential.organization, client_address(request))
        require(credential, _declared(view).get(action))
        return True


class HasScopeOrPlatformKey(HasScope):
    """Like `HasScope`, but a platform key with the scope passes too, for any organization."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.auth, Credential) and request.auth.is_platform:
            return PlatformKey().has_permission(request, view)
        return super().has_permission(request, view)


class PlatformKey(Authenticated):
    """A platform key with the scope that `view.scopes` names for the action."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        if not credential_of(request).is_platform:
            raise PlatformOnly
        action = action_of(request, view)
        if action is not None:
            require(credential_of(request), _declared(view).get(action))
        return True


def action_of(request: Request, view: "APIView") -> str | None:
    """The viewset's action, or the method's name (a HEAD is a GET). None for OPTIONS and for methods the view lacks."""
    method = "get" if request.method == "HEAD" else (request.method or "").lower()
    action: str | None = getattr(view, "action", method if hasattr(view, method) else None)
    is_metadata = method == "options" or action == "metadata"  # DRF itself checks what a POST might do
    return action if method in view.http_method_names and not is_metadata else None


def require(credential: Credential, scope: str | None) -> None:
    if scope is None:
        raise NotAllowed("This action is not open to any scope.")
    if scope in credential.scopes:
        return
    if scope in credential.granted and not credential.is_proved:
        raise EmailNotVerified
    if scope in credential.granted:
        raise LiveKeyRequired if credential.is_test and scope not in OF_TEST_KEYS else OrganizationSuspended
    raise NotAllowed(
        f"This needs the scope {scope}.", required_scopes=[scope], granted_scopes=sorted(credential.scopes)
    )


def _declared(view: "APIView") -> Mapping[str, str]:
    declared: Any = getattr(view, "scopes", {})
    return declared if isinstance(declared, Mapping) else {}
