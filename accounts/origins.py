"""Where a sign-in comes from: its network, and the program that the person uses."""

import re
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext
from rest_framework.request import Request

from accounts.lib.addresses import caller_network

LONGEST = 200
# The first that a user agent holds: Edge and Chrome also name Safari.
_PROGRAMS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python", "PostmanRuntime", "node")
_NAMES = {"Edg": "Edge", "OPR": "Opera", "python": "Python", "PostmanRuntime": "Postman", "node": "Node.js"}
_SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS": "macOS"}


@dataclass(frozen=True)
class Origin:
    network: str = ""
    user_agent: str = ""

    @property
    def device(self) -> str:
        return device(self.user_agent)


def origin_of(request: HttpRequest | Request) -> Origin:
    agent = re.sub(r"[^ -~]", "", request.headers.get("User-Agent", ""))
    return Origin(caller_network(request), agent[:LONGEST])


def device(user_agent: str) -> str:
    """A user agent in words: `Firefox on Windows`."""
    program = next((_NAMES.get(name, name) for name in _PROGRAMS if name in user_agent), "")
    systems = {**_SYSTEMS, "Linux": "Linux"}
    system = next((systems[name] for name in systems if name in user_agent), "")
    if program and system:
        return gettext("%(program)s on %(system)s") % {"program": program, "system": system}
    return program or system or gettext("Unknown program")
