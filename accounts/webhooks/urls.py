"""URLs that a customer may name: parsed once, kept in their normal form, and sent to from their parts.

Parsers disagree about odd URLs, for example about the host of `https://good.com\\@127.0.0.1/`. So we refuse these.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from accounts.lib.sentences import filled
from accounts.webhooks.addresses import Network, is_public, is_within, parse, parse_networks

LONGEST = 2048
PORTS = (443, 8443)
DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Target:
    """`path` has the query. `host` is a name in lower case, or an address; an IPv6 address has no brackets here."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def needs_exception(self) -> bool:
        """Whether only the operator's networks may be reached so: without TLS, or at a port of their own."""
        return self.scheme != "https" or self.port not in PORTS


def allowed_networks() -> list[Network]:
    return parse_networks(settings.WEBHOOK_ALLOWED_NETWORKS)


def target(text: str, networks: list[Network] | None = None) -> Target:
    """The parts of a URL; `ValueError` says in plain words why it is refused. `networks` are the operator's."""
    if len(text) > LONGEST:
        raise ValueError(filled("Must be at most %(most)s characters long.", most=LONGEST))
    if not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise ValueError("Must consist of printable ASCII characters, without spaces and backslashes.")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError("Must have the name of a host.") from error
    if "@" in parts.netloc:
        raise ValueError("Must not hold a user name or a password.")
    if "#" in text:
        raise ValueError("Must not have a fragment.")
    if parts.scheme not in ("https", "http"):
        raise ValueError("Must start with https://.")
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):
        raise ValueError("Only an IPv6 address stands in brackets.")
    parsed = Target(parts.scheme, _host(parts.hostname or ""), _port(parts.netloc, parts.scheme), _path(text))
    _check(parsed, allowed_networks() if networks is None else networks)
    return parsed


def host_of(url: str) -> str:
    """A URL without what may be secret in it: `https://example.com/…`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/" + ("…" if parts.path.strip("/") or parts.query else "")


def _host(host: str) -> str:
    try:
        return str(parse(host))
    except ValueError:
        pass
    # A resolver reads `0x7f000001`, `2130706433` and `127.1` as addresses: a name's last label is not a number.
    last = host.rpartition(".")[2]
    if not _HOST.fullmatch(host) or re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        raise ValueError("Must have the name of a host.")
    return host


def _port(netloc: str, scheme: str) -> int:
    match = re.fullmatch(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", netloc)
    if not match or not 0 < int(match[1] or 443) < 65536:
        raise ValueError("The port is not valid.")
    return int(match[1]) if match[1] else DEFAULT_PORTS[scheme]


def _path(text: str) -> str:
    """Everything after the host and port, as it was written."""
    rest = re.split(r"(?=[/?])", text.partition("://")[2], maxsplit=1)
    path = rest[1] if len(rest) > 1 else "/"
    return path if path.startswith("/") else f"/{path}"


def _check(parsed: Target, networks: list[Network]) -> None:
    """Without operator's networks, only https at ports 443 and 8443. With them, sending judges where it leads."""
    if parsed.needs_exception and not networks:
        raise ValueError("Must start with https:// and have port 443 or 8443.")
    own = urlsplit(settings.BASE_URL)
    is_own_port = parsed.port == (own.port or DEFAULT_PORTS[own.scheme])
    if parsed.host == own.hostname and (is_own_port or not _is_inside(parsed.host, networks)):
        raise ValueError("Must not lead to this installation itself.")


def check_address(target: Target, networks: list[Network] | None = None) -> None:
    """`ValueError` for a host that is an address, and a special one. Names are judged when they are resolved."""
    try:
        address = parse(target.host)
    except ValueError:
        return
    if not is_public(address) and not is_within(address, allowed_networks() if networks is None else networks):
        raise ValueError("Must lead to a public address.")


def _is_inside(host: str, networks: list[Network]) -> bool:
    try:
        return is_within(parse(host), networks)
    except ValueError:
        return False
