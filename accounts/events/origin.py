"""The origin of a change: who makes it, and with which request.

A middleware keeps the request of each thread, so that the verbs don't have to pass it on. Outside of a request it is
the system that acts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest

from accounts.credentials import Credential, Kind
from accounts.events.actors import SYSTEM, Actor, actor_of
from accounts.lib.addresses import client_address
from accounts.models import User

USER_AGENT_LENGTH = 300

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


@contextmanager
def within(request: HttpRequest) -> Iterator[None]:
    """Changes within this block come from this request."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def actor() -> Actor:
    """The maker of the request: by its credential, or by its session, which in the admin is an operator's."""
    request = _request.get()
    if request is None:
        return SYSTEM
    if credential := _credential(request):
        return actor_of(credential)
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return SYSTEM
    match = request.resolver_match
    return Actor("operator" if match and "admin" in match.namespaces else "person", f"user:{user.pk}")


def context() -> dict[str, str]:
    """What events keep of the origin forever: the request's id, the kind of credential, and whose key it is."""
    request = _request.get()
    if request is None:
        return {}
    credential = _credential(request)
    described = {"request_id": getattr(request, "request_id", "")}
    if credential:
        described["credential"] = credential.kind.value
        if credential.kind is Kind.API_KEY and credential.user:
            described["person"] = f"user:{credential.user.pk}"
    elif isinstance(getattr(request, "user", None), User):
        described["credential"] = Kind.SESSION.value
    return described


def personal() -> dict[str, Any]:
    """The part that can be erased: where the request came from."""
    request = _request.get()
    if request is None:
        return {}
    agent = request.headers.get("User-Agent", "")[:USER_AGENT_LENGTH].replace("\0", "")
    return {"address": client_address(request), "user_agent": agent}


def _credential(request: HttpRequest) -> Credential | None:
    """The API's views leave it here when they have authenticated."""
    credential = getattr(request, "auth", None)
    return credential if isinstance(credential, Credential) else None
