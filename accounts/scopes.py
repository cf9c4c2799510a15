"""All scopes, and which of them each role holds. A scope is `resource:action`, and implies no other one."""

from collections.abc import Iterable

READ_WRITE = ("account", "members", "keys", "credits", "billing", "usage", "webhooks", "security")
OF_COMPANY = frozenset({"usage:write", "provisioning:read", "provisioning:write"})  # no role holds them
ALL: frozenset[str] = frozenset(f"{r}:{a}" for r in READ_WRITE for a in ("read", "write")) | {"audit:read"} | OF_COMPANY
READS: frozenset[str] = frozenset(scope for scope in ALL - OF_COMPANY if scope.endswith(":read"))

# A suspended organization can still look, and pay what it owes.
WHILE_SUSPENDED = READS | {"billing:write", "credits:write"}

# What a test key may use: it reads, and it makes and changes test keys. Everything else is real, money above all.
OF_TEST_KEYS = READS | {"keys:write"}

_PEOPLE = ALL - OF_COMPANY

BY_ROLE: dict[str, frozenset[str]] = {
    "owner": _PEOPLE,
    "admin": _PEOPLE - {"billing:write", "credits:write"},
    "billing": frozenset(
        {"account:read", "account:write", "members:read", "credits:read", "credits:write"}
        | {"billing:read", "billing:write", "usage:read"}
    ),
    "developer": frozenset(
        {"account:read", "members:read", "keys:read", "keys:write", "credits:read", "usage:read"}
        | {"webhooks:read", "webhooks:write"}
    ),
    "viewer": frozenset({"account:read", "members:read", "keys:read", "credits:read", "usage:read", "webhooks:read"}),
}

# What a platform key opens by itself, for any organization: it verifies keys, reports usage, moves credits, and
# suspends, moves and budgets organizations. The webhooks and the audit log are the company's own. A new platform key
# has these.
GATEWAY: frozenset[str] = frozenset(
    {"account:read", "account:write", "keys:read", "usage:write", "credits:read", "credits:write"}
    | {"webhooks:read", "webhooks:write", "audit:read"}
)

# What the company's backend may be given besides. With `provisioning`, its other scopes open what they open for the
# customers themselves, in any organization that it names. An organization's security policy stays with its people.
PLATFORM: frozenset[str] = ALL - {"security:read", "security:write"}


def provisioning(*, reads: bool) -> str:
    """The scope that a platform key needs to act for an organization, in a request that only reads, or in another."""
    return "provisioning:read" if reads else "provisioning:write"


def of_roles(roles: Iterable[str]) -> frozenset[str]:
    """The scopes that at least one of the roles holds."""
    return frozenset().union(*(BY_ROLE[role] for role in roles))


def parse(text: str) -> frozenset[str]:
    """The known scopes in a space-separated claim."""
    return ALL & frozenset(text.split())
