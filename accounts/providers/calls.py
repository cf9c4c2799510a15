"""Requests to providers, by the client that also sends webhooks: it refuses internal addresses and never hangs.

If a provider's answer is invalid, the sign-in fails with `ProviderFailed`, and the reason is in the log.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode

import structlog
from django.conf import settings

from accounts.lib.deadlines import Deadline
from accounts.lib.problems import Problem
from accounts.providers.registry import Provider
from accounts.webhooks import sending
from accounts.webhooks.addresses import Network, parse_networks

SECONDS = 4.0  # for all requests of one sign-in: the page must answer within five
MOST_BYTES = 256 << 10

log = structlog.get_logger()


class ProviderFailed(Problem):
    """The provider can't be reached, or its answer proves nothing."""

    code = "provider_failed"
    detail = "The sign-in there did not work. Try again, or sign in another way."


def refuse(provider: Provider, reason: str) -> NoReturn:
    """`reason` is for the operators' log: it holds nothing that is secret or personal."""
    log.warning("sign-in elsewhere failed", provider=provider.id, reason=reason)
    raise ProviderFailed


def networks() -> list[Network]:
    return parse_networks(settings.SIGN_IN_ALLOWED_NETWORKS)


class Calls:
    """The requests of one sign-in, which have one deadline."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._deadline = Deadline(SECONDS)

    def get(self, url: str, *, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._send("GET", url, b"", headers)

    def post(self, url: str, fields: Mapping[str, str]) -> Any:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", url, urlencode(fields).encode(), form)

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
        sent = {"Accept": "application/json", "User-Agent": "Tollgate", **headers}
        request = sending.Request(method, url, body, sent, networks(), MOST_BYTES)
        answer = sending.send(request, self._deadline)
        if not answer.is_success:
            refuse(self.provider, answer.error or f"status {answer.status}")
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            refuse(self.provider, "not JSON")
