"""Lines of access logs: pure."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import search
from usage.metering import access_log
from usage.metering.access_log import LoggedRequest

TIME = "17/May/2015:10:05:03 +0000"
WHEN = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)


def line(request: str = "GET /a HTTP/1.1", *, host: str = "1.2.3.4", user: str = "-", time: str = TIME) -> str:
    return f'{host} - {user} [{time}] "{request}" 200 203023'


def endpoint(request: str) -> str:
    return access_log.parse(line(request)).endpoint


def test_the_common_format() -> None:
    assert access_log.parse(line()) == LoggedRequest("/a", 200, WHEN)


@pytest.mark.parametrize(
    "more",
    [
        ' "http://example.com/?q=[1]" "Mozilla/5.0 (X11; Linux) \\"quoted\\""',
        ' "-" "-"',
        ' "-" "Mozilla/5.0 (unclosed',  # as in a line that was cut off
        ' "-" "-" 0.004 upstream=10.0.0.1:80',
    ],
)
def test_the_combined_format_and_what_others_add(more: str) -> None:
    assert access_log.parse(line() + more) == LoggedRequest("/a", 200, WHEN)


@pytest.mark.parametrize(
    "host", ["83.149.9.216", "2001:db8::1", "::ffff:1.2.3.4", "host.example.com", "-", "www:80 1.2.3.4"]
)
def test_any_host(host: str) -> None:
    assert access_log.parse(line(host=host)).occurred_at == WHEN


@pytest.mark.parametrize("user", ["frank", "frank drebin", "[x]", "a[17/May]b", '"quoted"', "jürgen"])
def test_any_user(user: str) -> None:
    assert access_log.parse(line(user=user)).occurred_at == WHEN


@pytest.mark.parametrize("ending", ["\n", "\r\n", "", "  \n"])
def test_any_end_of_line(ending: str) -> None:
    assert access_log.parse(line() + ending).endpoint == "/a"


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /a?b=c HTTP/1.1", "/a"), ("GET /a?b=c?d#e HTTP/1.1", "/a"), ("GET /a#b?c HTTP/1.1", "/a"),
        ("GET / HTTP/1.0", "/"), ("GET /", "/"), ("OPTIONS * HTTP/1.1", "*"), ("GET /%20/ü HTTP/1.1", "/%20/ü"),
        (r"GET /a\"b HTTP/1.1", r"/a\"b"), (r"GET /\\ HTTP/1.1", r"/\\"), (r"GET /\xe4 HTTP/1.1", r"/\xe4"),
        ("GET /[x]?[y] HTTP/1.1", "/[x]"), ("GET  /two  HTTP/1.1", "/two"),
    ],
)  # fmt: skip
def test_the_endpoint_is_the_path_without_its_query(request_line: str, expected: str) -> None:
    assert endpoint(request_line) == expected


@pytest.mark.parametrize("status", [101, 200, 304, 404, 499, 503])
def test_the_status_is_a_number(status: int) -> None:
    assert access_log.parse(line().replace(" 200 ", f" {status} ")).status == status


def test_a_missing_size_is_a_dash() -> None:
    assert access_log.parse(line().replace("203023", "-")).status == 200


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("17/May/2015:10:05:03 +0545", datetime(2015, 5, 17, 4, 20, 3, tzinfo=UTC)),
        ("29/Feb/2024:23:59:59 -0330", datetime(2024, 3, 1, 3, 29, 59, tzinfo=UTC)),
        ("01/Jan/1970:00:00:00 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_time_is_of_its_zone(time: str, moment: datetime) -> None:
    assert access_log.parse(line(time=time)).occurred_at == moment


@pytest.mark.parametrize(
    "bad",
    [
        "", " ", "\n", "nonsense", "\x16\x03\x01\x00\ufffd", '{"json": "log"}', "a\n" + line(), line() + "x",
        line()[:-12], line("-"), line(""), line(r"\x16\x03\x01"), line(time="17/Mai/2015:10:05:03 +0000"),
        line(time="17/May/2015:10:05"), line(time="30/Feb/2015:10:05:03 +0000"), line(time="2015-05-17T10:05:03Z"),
        line(time="17/May/2015:24:05:03 +0000"), line().replace("200", "OK"), line().replace("200", "2000"),
        line().replace('"', "'"), line().replace("[", ""),
    ],
)  # fmt: skip
def test_what_is_no_request_is_a_value_error(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        access_log.parse(bad)


@pytest.mark.parametrize("flood", ["[" * 300_000, '[x] "' * 60_000, "\\" * 300_000, "a [" * 100_000, " " * 300_000])
def test_a_flood_of_brackets_or_quotes_takes_no_longer_than_its_length(flood: str) -> None:
    """A search that were quadratic would take minutes."""
    with pytest.raises(ValueError, match="format"):
        access_log.parse(f'1.2.3.4 - - {flood} "GET / HTTP/1.1" 200')


@search(200)
@given(
    path=st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters='"\\?#'), max_size=40),
    status=st.integers(100, 599),
    when=st.datetimes(datetime(1970, 1, 2), datetime(2099, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    minutes=st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * 15),
)
def test_what_a_server_writes_is_read(path: str, status: int, when: datetime, minutes: int) -> None:
    moment = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    written = f'::1 - - [{moment:%d/%b/%Y:%H:%M:%S %z}] "POST /{path}?q HTTP/2.0" {status} 0 "-" "curl"'
    assert access_log.parse(written) == LoggedRequest(f"/{path}", status, moment)


@search(300)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace")))
def test_garbage_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        access_log.parse(text)
