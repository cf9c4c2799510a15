"""Access logs in the common and in the combined format, as Apache and nginx write them: lines in, requests out."""

import re
from dataclasses import dataclass
from datetime import datetime

# host ident user [time] "method target protocol" status bytes, and then whatever the combined format adds
_LINE = re.compile(
    r"\S+ \S+ .*?\[(?P<time>[^\]]{1,40})\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}) (?:\d+|-)(?: .*)?"
)
_TIME = "%d/%b/%Y:%H:%M:%S %z"


@dataclass(frozen=True)
class LoggedRequest:
    """`endpoint` is the path without its query."""

    endpoint: str
    status: int
    occurred_at: datetime


def parse(line: str) -> LoggedRequest:
    """The request of one line; `ValueError` if the line is not of the format."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError("not a line of the common or combined log format")
    target = [*match["request"].split(), "", ""][1]
    if not target:
        raise ValueError(f"no request in {match['request'][:60]!r}")
    return LoggedRequest(
        endpoint=re.split(r"[?#]", target, maxsplit=1)[0],
        status=int(match["status"]),
        occurred_at=datetime.strptime(match["time"], _TIME),
    )
