"""The providers of sign-ins that the environment names. `accounts.providers` uses them."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.env import Env

# Microsoft's provider for all its tenants names the issuer of each token by the tenant.
MICROSOFT = "https://login.microsoftonline.com/{}/v2.0"
ANY_TENANT = "{tenantid}"


def providers(env: Env) -> list[dict[str, Any]]:
    """The providers whose `…_CLIENT_ID` is set. An address from Microsoft proves nothing: people can choose it."""
    microsoft = env.text("MICROSOFT_TENANT", default="") or ANY_TENANT
    known: dict[str, dict[str, Any]] = {
        "google": {"name": "Google", "issuer": "https://accounts.google.com"},
        "github": {"name": "GitHub", "url": env.text("GITHUB_URL", default="https://github.com").rstrip("/")},
        "microsoft": {"name": "Microsoft", "issuer": MICROSOFT.format(microsoft), "vouches": False},
        "oidc": {
            "name": env.text("OIDC_NAME", default="Single sign-on"),
            "issuer": env.text("OIDC_ISSUER", default=""),
        },
    }
    return [{"id": id, **fields, **_client(env, id)} for id, fields in known.items() if _is_set(env, id)]


def _is_set(env: Env, id: str) -> bool:
    return bool(env.text(f"{id.upper()}_CLIENT_ID", default=""))


def _client(env: Env, id: str) -> dict[str, str]:
    names = [f"{id.upper()}_CLIENT_ID", f"{id.upper()}_CLIENT_SECRET"]
    values = [env.text(name, default="") for name in names]
    if not all(values) or (id == "oidc" and not env.text("OIDC_ISSUER", default="")):
        raise ImproperlyConfigured(f"{names[0]} needs {names[1]}{' and OIDC_ISSUER' if id == 'oidc' else ''}.")
    return dict(zip(("client_id", "client_secret"), values, strict=True))
