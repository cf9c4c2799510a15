"""What the web server accepts of a request, and its refusals. This knows nothing of Django."""

TARGET_LIMIT_BYTES = 16 << 10
HEADERS_LIMIT_BYTES = 64 << 10
HEADERS_LIMIT = 100


class Refusal(Exception):
    """The request is answered without Django."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def malformed(detail: str) -> Refusal:
    return Refusal(400, "bad_request", detail)


def target_too_long() -> Refusal:
    return Refusal(414, "uri_too_long", f"The path and query are longer than {TARGET_LIMIT_BYTES:,} bytes.")


def headers_too_large() -> Refusal:
    return Refusal(431, "headers_too_large", f"The headers are larger than {HEADERS_LIMIT_BYTES:,} bytes.")


def too_many_headers() -> Refusal:
    return Refusal(431, "too_many_headers", f"The request has more than {HEADERS_LIMIT} headers.")
