"""A verdict as a proxy understands it: 200 with headers for the upstream, or the refusal to pass on."""

import simplejson
from django.http import HttpRequest, HttpResponse

from accounts.authentication import REALM
from accounts.lib import problems
from apikeys import rate_limits
from usage.gate.verdict import Code, Verdict

# The status and the reason that the customer gets.
REFUSALS = {
    Code.NOT_FOUND: (401, "The API key is missing or unknown."),
    Code.REVOKED: (401, "The API key is revoked."),
    Code.EXPIRED: (401, "The API key is expired."),
    Code.DISABLED: (401, "The API key is disabled."),
    Code.IP_NOT_ALLOWED: (403, "This API key may not be used from this address."),
    Code.INSUFFICIENT_PERMISSIONS: (403, "This API key lacks the permission."),
    Code.ORGANIZATION_SUSPENDED: (403, "The organization is suspended."),
    Code.RATE_LIMITED: (429, "Too many requests. Try again later."),
    Code.BUDGET_EXCEEDED: (402, "The budget does not allow this."),
    Code.INSUFFICIENT_CREDITS: (402, "There are not enough credits."),
}


def answer(request: HttpRequest, verdict: Verdict, *, with_403: bool) -> HttpResponse:
    """The response to the proxy. `with_403`: instead of 402 and 429, since the proxy lets no others through."""
    response = _granted(verdict) if verdict.code is Code.VALID else _refused(request, verdict, with_403=with_403)
    response["X-Tollgate-Code"] = verdict.code.value
    response["Cache-Control"] = "no-store"
    for header, text in rate_limits.headers(verdict.counts).items():
        response[header] = text
    return response


def _granted(verdict: Verdict) -> HttpResponse:
    response = HttpResponse(content_type="text/plain")
    response["X-Tollgate-Key-Id"] = verdict.key_id or ""
    response["X-Tollgate-Organization"] = verdict.organization or ""
    response["X-Tollgate-Permissions"] = " ".join(verdict.permissions)
    if verdict.hold:
        response["X-Tollgate-Hold"] = verdict.hold
    return response


def _refused(request: HttpRequest, verdict: Verdict, *, with_403: bool) -> HttpResponse:
    status, detail = REFUSALS[verdict.code]
    request_id = getattr(request, "request_id", "")
    body = problems.document(status, verdict.code.value.lower(), detail, request_id=request_id)
    text = simplejson.dumps(body)
    replaced = with_403 and status in {402, 429}
    response = HttpResponse(text, status=403 if replaced else status, content_type=problems.CONTENT_TYPE)
    if with_403:  # nginx drops the body, and has only the headers to answer by
        response["X-Tollgate-Status"] = str(status)
        response["X-Tollgate-Problem"] = text
    if status == 401:
        response["WWW-Authenticate"] = REALM
    if verdict.code is Code.RATE_LIMITED:
        response["Retry-After"] = str(rate_limits.retry_after(verdict.counts))
    return response
