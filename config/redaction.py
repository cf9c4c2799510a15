"""Removes secrets from text that is about to be logged, recognized by their shape, or by the name before them."""

import re

REDACTED = "[redacted]"
# Every pattern takes time in proportion to the text, whatever the text is: strangers choose what is in a log line, and
# a regular expression stops all threads while it runs. So a long name may begin anywhere, and repeats have limits. A
# quote has at most 7 backslashes before it, which is JSON three deep.
LONG_NAMES = (
    r"(?:password|secret|token|csrf|pepper|api[_-]?key|idempotency[_-]key)[\w-]{0,40}|authorization|cookie"  # in others
)
SHORT_NAMES = r"(?<![\w-])(?:sessionid|refresh|access|key|code|otp)"  # only as whole words
# `"name": "value"`, `name=value` or `Name: value`; in JSON within JSON the quotes have backslashes before them.
NAMED = re.compile(
    rf"(?P<name>{LONG_NAMES}|{SHORT_NAMES})(?P<separator>\\*[\"']?\s*[:=]\s*)"
    r"(?:(?P<quote>\\{0,7}[\"'])(?:[^\"'\\]++|(?!(?<!\\)(?P=quote)).)*+(?<!\\)(?P=quote)|[^\s,;&)}\]\"'\\]+)",
    re.IGNORECASE | re.DOTALL,
)
SHAPES = (
    re.compile(
        r"(?P<kept>\b(?:sk|rk|pk|whsec|rt)_(?:live_|test_)?)\w{8,}"
    ),  # keys of ours and of Stripe's, refresh tokens
    re.compile(r"(?P<kept>\beyJ)[\w-]{8,}(?:\.[\w-]+)*"),  # JWTs
    re.compile(r"(?P<kept>\b(?:Bearer|Basic) +)[\w.~+/=-]+", re.IGNORECASE),
    # The password in a URL. It may have an unescaped / or @ in it, unless it is very long.
    re.compile(r"(?P<kept>://[^/\s:@]*:)[^\s\"']{1,128}(?=@)"),
    re.compile(r"(?P<kept>://[^/\s:@]*:)[^/\s@]+(?=@)"),
    re.compile(r"(?P<kept>/password/reset/key/)[\w-]+"),
)


def redact(text: str) -> str:
    for shape in SHAPES:
        text = shape.sub(rf"\g<kept>{REDACTED}", text)
    return NAMED.sub(lambda match: f"{match['name']}{match['separator']}{REDACTED}", text)
