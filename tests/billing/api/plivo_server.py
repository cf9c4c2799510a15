"""A live server, for the official Plivo clients, which speak to nothing less."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.wsgi import get_wsgi_application
from django.db import connections

from accounts.models import Organization, User
from tests import factories

PERMISSIONS = ["account:read", "account:write", "messaging:send"]


class _Server(ThreadingMixIn, WSGIServer):
    """A thread and a connection a request, whose database connections end with it."""

    def close_request(self, request: Any) -> None:
        connections.close_all()
        super().close_request(request)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[str]:
    """The server's address."""
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(get_wsgi_application())
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Customer:
    """A root organization with a billing account, and a key that may read and write the account."""

    owner: User
    organization: Organization
    token: str

    @property
    def auth_id(self) -> str:
        return self.organization.auth_id


def customer() -> Customer:
    owner = factories.user("wayne", timezone="America/New_York")
    organization = owner.current_organization
    assert organization
    factories.billing_account(organization)
    _, token = factories.key(organization, created_by=owner, permissions=PERMISSIONS)
    return Customer(owner, organization, token)
