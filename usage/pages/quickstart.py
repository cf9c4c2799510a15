"""First calls of the API in three languages, with the organization's own ids in them."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from accounts.pages.organizations import OrganizationMixin
from apikeys.models import ApiKey

CURL = 'curl "{base}{path}" \\\n  -H "Authorization: Bearer $TOLLGATE_KEY"'
PYTHON = """import json, os, urllib.request

request = urllib.request.Request(
    "{base}{path}",
    headers={{"Authorization": f"Bearer {{os.environ['TOLLGATE_KEY']}}"}},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))"""
JAVASCRIPT = """const response = await fetch("{base}{path}", {{
  headers: {{ Authorization: `Bearer ${{process.env.TOLLGATE_KEY}}` }},
}});
console.log(await response.json());"""
LANGUAGES = {"curl": ("curl", CURL), "python": ("Python", PYTHON), "javascript": ("JavaScript", JAVASCRIPT)}
KEYS_LOOKED_AT = 50
# What each call is for, its path, and the scope that the key needs.
CALLS = (
    (_("Who am I?"), _("The key itself, its organization, and what it may do."), "/v1/whoami", ""),
    (_("What was used?"), _("Requests and credits of this month, by endpoint."), "/auth/account/usage", "usage:read"),
    (
        _("What did this key use?"),
        _("By day and endpoint."),
        "/v1/usage?window=day&group_by=endpoint&key={key}",
        "usage:read",
    ),
    (_("What is left?"), _("Balance, reserved and available credits."), "/auth/account/credits", "credits:read"),
)


class QuickstartView(OrganizationMixin):
    scopes = {"get": "account:read"}
    section = "quickstart"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        chosen = request.GET.get("language", "curl")
        chosen = chosen if chosen in LANGUAGES else "curl"
        key = self._key() if self.may("keys:read") else None
        context = self.get_context_data(
            languages=[(name, label, name == chosen) for name, (label, _) in LANGUAGES.items()],
            calls=[self._call(number, call, LANGUAGES[chosen][1], key) for number, call in enumerate(CALLS)],
            key=key,
        )
        return render(request, "usage/quickstart.html", context)

    def _key(self) -> ApiKey | None:
        """Of the newest that can be used now, the one that may make the most of the calls."""
        keys = ApiKey.objects.of(self.organization).unrevoked().filter(disabled_at=None, environment="live")
        newest = keys.prefetch_related("secrets").order_by("-created_at", "-pk")[:KEYS_LOOKED_AT]
        return max(newest, key=lambda key: sum(scope in key.permissions for *_, scope in CALLS), default=None)

    def _call(self, number: int, call: tuple[Any, ...], language: str, key: ApiKey | None) -> dict[str, Any]:
        title, text, path, scope = call
        named = path.format(key=key.public_id if key else "key_…")
        missing = scope if key and scope and scope not in key.permissions else ""
        code = language.format(base=settings.BASE_URL, path=named)
        return {"id": f"call-{number}", "title": title, "text": text, "code": code, "missing": missing}
