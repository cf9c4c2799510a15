"""A verdict as a proxy understands it: 200 with headers for the upstream, or the refusal to pass on."""

import simplejson
from django.http import HttpRequest

from accounts.authentication import REALM
from accounts.lib import problems
from apikeys import rate_limits
from usage.api.fast_path import Reply
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


def answer(request: HttpRequest, verdict: Verdict, *, with_403: bool) -> Reply:
    """The reply to the proxy. `with_403`: instead of 402 and 429, since the proxy lets no others through."""
    reply = _granted(verdict) if verdict.code is Code.VALID else _refused(request, verdict, with_403=with_403)
    ours = {"X-Tollgate-Code": verdict.code.value, "Cache-Control": "no-store", **rate_limits.headers(verdict.counts)}
    reply.headers.update(ours)
    return reply


def _granted(verdict: Verdict) -> Reply:
    headers = {
        "Content-Type": "text/plain",
        "X-Tollgate-Key-Id": verdict.key_id or "",
        "X-Tollgate-Organization": verdict.organization or "",
        "X-Tollgate-Permissions": " ".join(verdict.permissions),
    }
    if verdict.hold:
        headers["X-Tollgate-Hold"] = verdict.hold
    return Reply(200, headers, b"")


def _refused(request: HttpRequest, verdict: Verdict, *, with_403: bool) -> Reply:
    status, detail = REFUSALS[verdict.code]
    request_id = getattr(request, "request_id", "")
    body = problems.document(status, verdict.code.value.lower(), detail, request_id=request_id)
    text = simplejson.dumps(body)
    replaced = with_403 and status in {402, 429}
    headers = {"Content-Type": problems.CONTENT_TYPE}
    if with_403:  # nginx drops the body, and has only the headers to answer by
        headers |= {"X-Tollgate-Status": str(status), "X-Tollgate-Problem": text}
    if status == 401:
        headers["WWW-Authenticate"] = REALM
    if verdict.code is Code.RATE_LIMITED:
        headers["Retry-After"] = str(rate_limits.retry_after(verdict.counts))
    return Reply(403 if replaced else status, headers, text.encode())
