"""Takes secrets out of text that is about to be logged: by their shape, or by the name that stands before them."""

import re

REDACTED = "[redacted]"
NAMES = (
    r"[\w-]*(?:password|secret|token|csrf|pepper|api_?key|idempotency[_-]key)[\w-]*|[\w-]*(?:authorization|cookie)"
    r"|sessionid|refresh|access|key|code|otp"
)
# `"name": "value"`, `name=value` or `Name: value`; in JSON within JSON the quotes have backslashes before them.
NAMED = re.compile(
    rf"(?P<name>(?<![\w-])(?:{NAMES}))(?P<separator>\\*[\"']?\s*[:=]\s*)"
    r"(?:(?P<quote>\\*[\"'])(?:(?!(?<!\\)(?P=quote)).)*(?<!\\)(?P=quote)|[^\s,;&)}\]\"'\\]+)",
    re.IGNORECASE | re.DOTALL,
)
SHAPES = (
    re.compile(
        r"(?P<kept>\b(?:sk|rk|pk|whsec|rt)_(?:live_|test_)?)\w{8,}"
    ),  # keys of ours and of Stripe's, refresh tokens
    re.compile(r"(?P<kept>\beyJ)[\w-]{8,}(?:\.[\w-]+)+"),  # JWTs
    re.compile(r"(?P<kept>\b(?:Bearer|Basic) +)[\w.~+/=-]+", re.IGNORECASE),
    re.compile(r"(?P<kept>://[^/\s:@]*:)[^/\s@]+(?=@)"),  # the password in a URL
    re.compile(r"(?P<kept>/password/reset/key/)[\w-]+"),
)


def redact(text: str) -> str:
    for shape in SHAPES:
        text = shape.sub(rf"\g<kept>{REDACTED}", text)
    return NAMED.sub(lambda match: f"{match['name']}{match['separator']}{REDACTED}", text)
