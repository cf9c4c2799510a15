"""The account and its subaccounts as Plivo documents them: `/v1/Account/{auth_id}/`, so that Plivo's own clients work.

The credential is Basic: an auth_id, and an API key of that organization as the auth_token. A null means that a
parameter is not given, and unknown members are ignored. Every answer with a body has a fresh `api_id`. A 401 is plain
text, because Plivo's client for Python can't read JSON there.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency, naming, tree
from accounts.credentials import credential_of
from accounts.lib import exact_json
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization
from accounts.models.organizations import OrganizationQuerySet
from apikeys import subaccounts
from apikeys.authentication import BasicAuthentication, KeyCredential
from apikeys.models import ApiKey
from billing import accounts, clock, organizations
from billing.api import plivo_schema
from billing.api.plivo_objects import (
    CreatedSubaccountSerializer,
    NewSubaccountSerializer,
    PageSerializer,
    PlivoAccountChangesSerializer,
    PlivoAccountSerializer,
    PlivoChangedSerializer,
    SubaccountChangesSerializer,
    SubaccountListSerializer,
    SubaccountSerializer,
    account_object,
    subaccount_objects,
)

UNAUTHENTICATED = "Could not verify your access level for that URL. You have to login with proper credentials.\n"
CHANGED = {"message": "changed"}


class PlivoView(APIView):
    """Credentials, errors and `api_id` in Plivo's way."""

    authentication_classes = (BasicAuthentication,)

    def account(self) -> Organization:
        """The organization in the path. 404 if the credential may not see it."""
        visible = naming.visible_to(credential_of(self.request)).unclosed()
        return self._get(visible.select_related("root"), self.kwargs["auth_id"])

    def subaccounts(self) -> OrganizationQuerySet:
        """The subaccounts of the account in the path, newest first. A subaccount is among its own."""
        organizations = Organization.objects.within(self.account()).unclosed().filter(parent__isnull=False)
        unrevoked = ApiKey.objects.unrevoked().order_by("-created_at").prefetch_related("secrets")
        keys = Prefetch("api_keys", unrevoked)
        return organizations.select_related("root").prefetch_related(keys).order_by("-created_at", "-pk")

    def _get(self, among: OrganizationQuerySet, auth_id: str) -> Organization:
        try:
            return naming.named(credential_of(self.request), client_address(self.request), among, auth_id=auth_id)
        except NotFound as error:
            raise NotFound("not found") from error

    def handle_exception(self, exc: Exception) -> Any:
        """Refusals as `{"error"}`. An unexpected exception is raised again and answered by the error handler."""
        response = super().handle_exception(exc)
        if response.status_code == status.HTTP_401_UNAUTHORIZED:
            challenge = {"WWW-Authenticate": self.get_authenticate_header(self.request)}
            return HttpResponse(
                UNAUTHENTICATED, status=401, content_type="text/plain; charset=utf-8", headers=challenge
            )
        response.data, response.content_type = {"error": _line(response.data)}, "application/json"
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Adds the `api_id`, also to the replay of an earlier answer."""
        if isinstance(response, HttpResponse) and "Idempotent-Replayed" in response:
            replayed = Response(exact_json.loads(response.content), status=response.status_code)
            replayed["Idempotent-Replayed"] = "true"
            response = replayed
        if isinstance(response, Response) and isinstance(response.data, Mapping):
            response.data = dict(sorted({**response.data, "api_id": str(uuid4())}.items()))
        return super().finalize_response(request, response, *args, **kwargs)


def _line(problem: Mapping[str, Any]) -> str:
    """A problem document as one line: its fields with their errors, or its detail."""
    errors = [f"{error['pointer'].strip('/')}: {error['detail']}".lstrip(": ") for error in problem.get("errors", ())]
    return "; ".join(errors) or str(problem["detail"])


def _given(request: Request) -> dict[str, Any]:
    """The given parameters. Plivo's client sends null for the others."""
    if not isinstance(request.data, dict):
        raise InvalidField("", "Expected a JSON object.")
    return {name: value for name, value in request.data.items() if value is not None}


def _valid(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _caller(request: Request) -> KeyCredential:
    credential = credential_of(request)
    assert isinstance(credential, KeyCredential)
    return credential


class AccountView(PlivoView):
    scopes = {"get": "account:read", "post": "account:write"}
    http_method_names = ["get", "head", "post"]

    @extend_schema(
        operation_id="plivo_account_retrieve",
        parameters=[plivo_schema.ACCOUNT_PATH],
        responses=plivo_schema.answers({200: PlivoAccountSerializer}),
        examples=[plivo_schema.ACCOUNT_EXAMPLE],
    )
    def get(self, request: Request, auth_id: str) -> Response:
        """Retrieve the details of your account."""
        return Response(account_object(self.account()))

    @extend_schema(
        operation_id="plivo_account_update",
        parameters=[plivo_schema.ACCOUNT_PATH],
        request=PlivoAccountChangesSerializer,
        responses=plivo_schema.answers({202: PlivoChangedSerializer}),
        examples=plivo_schema.UPDATE_EXAMPLES,
    )
    def post(self, request: Request, auth_id: str) -> Any:
        """Update the account. Parameters that are not provided remain unchanged."""
        account, changes = self.account(), _valid(PlivoAccountChangesSerializer(data=_given(request)))

        def effect() -> Response:
            _update_account(account, changes)
            return Response(CHANGED, status=status.HTTP_202_ACCEPTED)

        return idempotency.once(request, effect)


@transaction.atomic
def _update_account(organization: Organization, changes: Mapping[str, Any]) -> None:
    """The time zone, and a child's name, belong to the organization; the rest to the billing account."""
    own = {"timezone"} if organization.is_root else {"timezone", "name"}
    billed = {name: value for name, value in changes.items() if name not in own}
    if billed:
        accounts.update(accounts.required(organization), billed)
    if "timezone" in changes:
        organizations.change_timezone(organization, changes["timezone"], now=clock.now(organization))
    if "name" in own & changes.keys():
        tree.change(organization, {"name": changes["name"]})


class SubaccountsView(PlivoView):
    scopes = {"get": "account:read", "post": "account:write"}
    http_method_names = ["get", "head", "post"]

    @extend_schema(
        operation_id="plivo_subaccount_list",
        parameters=[plivo_schema.ACCOUNT_PATH, PageSerializer],
        responses=plivo_schema.answers({200: SubaccountListSerializer}),
    )
    def get(self, request: Request, auth_id: str) -> Response:
        """List the subaccounts, newest first."""
        page = _valid(PageSerializer(data=request.query_params))
        limit, offset, organizations = page["limit"], page["offset"], self.subaccounts()
        total = organizations.count()
        meta = {
            "limit": limit,
            "next": self._page(limit, offset + limit) if offset + limit < total else None,
            "offset": offset,
            "previous": self._page(limit, max(offset - limit, 0)) if offset else None,
            "total_count": total,
        }
        return Response({"meta": meta, "objects": subaccount_objects(list(organizations[offset : offset + limit]))})

    def _page(self, limit: int, offset: int) -> str:
        return f"/v1/Account/{self.kwargs['auth_id']}/Subaccount/?limit={limit}&offset={offset}"

    @extend_schema(
        operation_id="plivo_subaccount_create",
        parameters=[plivo_schema.ACCOUNT_PATH],
        request=NewSubaccountSerializer,
        responses=plivo_schema.answers({201: CreatedSubaccountSerializer}),
    )
    def post(self, request: Request, auth_id: str) -> Any:
        """Create a subaccount. Only this response shows its token, which has the caller's permissions."""
        parent, params = self.account(), _valid(NewSubaccountSerializer(data=_given(request)))

        def effect() -> Response:
            child, token = subaccounts.create(parent, **params, by=_caller(request))
            created = {"auth_id": child.auth_id, "auth_token": token, "message": "created"}
            return Response(created, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("auth_token",))


class SubaccountView(PlivoView):
    scopes = {"get": "account:read", "post": "account:write", "delete": "account:write"}
    http_method_names = ["get", "head", "post", "delete"]

    def beneath(self) -> Organization:
        """The subaccount to change. It must not be the account in the path: nobody disables or deletes themselves."""
        account = self.kwargs["auth_id"]
        return self._get(self.subaccounts().exclude(auth_id=account), self.kwargs["subauth_id"])

    @extend_schema(
        operation_id="plivo_subaccount_retrieve",
        parameters=[plivo_schema.ACCOUNT_PATH, plivo_schema.SUBACCOUNT_PATH],
        responses=plivo_schema.answers({200: SubaccountSerializer}),
    )
    def get(self, request: Request, auth_id: str, subauth_id: str) -> Response:
        """Retrieve a subaccount."""
        [subaccount] = subaccount_objects([self._get(self.subaccounts(), subauth_id)])
        return Response(subaccount)

    @extend_schema(
        operation_id="plivo_subaccount_update",
        parameters=[plivo_schema.ACCOUNT_PATH, plivo_schema.SUBACCOUNT_PATH],
        request=SubaccountChangesSerializer,
        responses=plivo_schema.answers({202: PlivoChangedSerializer}),
    )
    def post(self, request: Request, auth_id: str, subauth_id: str) -> Any:
        """Update a subaccount. Disabling it blocks its credentials and those of everything beneath it."""
        subaccount, changes = self.beneath(), _valid(SubaccountChangesSerializer(data=_given(request)))

        def effect() -> Response:
            subaccounts.update(subaccount, changes, by=_caller(request))
            return Response(CHANGED, status=status.HTTP_202_ACCEPTED)

        return idempotency.once(request, effect)

    @extend_schema(
        operation_id="plivo_subaccount_delete",
        parameters=[plivo_schema.ACCOUNT_PATH, plivo_schema.SUBACCOUNT_PATH],
        responses=plivo_schema.answers({204: None}),
    )
    def delete(self, request: Request, auth_id: str, subauth_id: str) -> Response:
        """Close a subaccount for good and revoke its credentials. `cascade` is accepted and ignored."""
        subaccounts.close(self.beneath())
        return Response(status=status.HTTP_204_NO_CONTENT)
