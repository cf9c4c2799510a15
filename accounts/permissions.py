"""Who may call a view. Each view declares the scope of each of its actions; an undeclared action is refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts import naming, scopes, security
from accounts.access import OrganizationRequired, PlatformOnly, check_unclosed, require
from accounts.credentials import Credential, credential_of
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

ORGANIZATION = "organization"  # the parameter that names the organization a request acts for


class Authenticated(BasePermission):
    """Any good credential."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, Credential)


class HasScope(Authenticated):
    """The credential has the scope that `view.scopes` names for the action, in the organization that it acts for.

    That is its own, or the one beneath it that `organization` in the query string names. A platform key names any, and
    needs `provisioning:read` or `provisioning:write` too.
    """

    needs_organization = True

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        action = action_of(request, view)
        if action is None:
            return True  # no such method: the view answers 405
        scope = _declared(view).get(action)
        if credential_of(request).is_platform:
            require(credential_of(request), scope)
            require(credential_of(request), scopes.provisioning(reads=request.method in SAFE_METHODS))
        elif credential_of(request).organization is None:
            raise OrganizationRequired
        self._act_for_named(request)
        credential = credential_of(request)
        if credential.organization is not None:
            security.check(credential, credential.organization, client_address(request))
        elif self.needs_organization:
            raise InvalidField(ORGANIZATION, "Required with a platform key.")
        require(credential, scope)
        return True

    def _act_for_named(self, request: Request) -> None:
        """From here on, the request is one of the organization that it names."""
        if ORGANIZATION not in request.query_params:
            return
        name = request.query_params[ORGANIZATION]
        if not name or "\0" in name:  # PostgreSQL has no text with a NUL
            raise InvalidField(ORGANIZATION, "Must be the id of an organization.")
        acting = naming.acting(credential_of(request), client_address(request), name)
        if acting.is_platform and acting.organization and request.method not in SAFE_METHODS:
            check_unclosed(acting.organization)
        request.auth = acting


class HasScopeAnywhere(HasScope):
    """Like `HasScope`, for what is about organizations themselves: a platform key needn't act for one."""

    needs_organization = False


class HasScopeOrPlatformKey(HasScope):
    """Like `HasScope`, but a platform key needs no more than the scope. The view knows whose object it is about."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not (isinstance(request.auth, Credential) and request.auth.is_platform):
            return super().has_permission(request, view)
        PlatformKey().has_permission(request, view)
        self._act_for_named(request)
        return True


class HasScopeOrCompany(HasScope):
    """Like `HasScope`, but if a platform key names no organization, the request is about the company's own objects."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        is_platform = isinstance(request.auth, Credential) and request.auth.is_platform
        if is_platform and ORGANIZATION not in request.query_params:
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


def _declared(view: "APIView") -> Mapping[str, str]:
    declared: Any = getattr(view, "scopes", {})
    return declared if isinstance(declared, Mapping) else {}
