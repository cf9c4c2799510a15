"""`manage.py import_access_log`: its counts, its report, its exit codes."""

import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO, TextIOWrapper
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.models import Organization
from apikeys import keys
from tests import factories
from tests.usage.metering import logs
from tests.usage.metering.batches import balance, usage_entries
from tests.usage.metering.logs import lines
from usage.metering import access_log, log_files
from usage.models import ImportedFile, UsageEvent
from usage.reporting import totals

REAL_LOG = Path(__file__).resolve().parents[4] / "shared/data/access.log"
EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))

LogFile = Callable[..., Path]


@pytest.fixture
def log_file(tmp_path: Path) -> LogFile:
    """Writes a log of these lines; gzipped where the name says so."""
    return lambda *content, name="access.log": logs.write(tmp_path / name, list(content))


def run(path: Path, organization: Organization, **options: Any) -> tuple[int, str, str]:
    """The exit code, the summary, and the reports before it."""
    out, reported = StringIO(), StringIO()
    arguments = {"organization": organization.public_id, "meter": "requests", **options}
    try:
        call_command("import_access_log", path, **arguments, stdout=out, stderr=reported)
    except SystemExit as exit:
        return int(str(exit.code)), out.getvalue().strip(), reported.getvalue()
    return 0, out.getvalue().strip(), reported.getvalue()


def counted(organization: Organization) -> tuple[int, int]:
    """Events, and requests in the reports."""
    return UsageEvent.objects.of(organization).count(), totals.of(organization, *EVER).requests


def test_a_line_is_an_event(organization: Organization, log_file: LogFile) -> None:
    code, summary, _ = run(log_file(*lines(25)), organization)
    assert (code, summary) == (0, "25 lines: 25 counted now, 0 counted before, 0 skipped.")
    event = UsageEvent.objects.of(organization).order_by("occurred_at")[10]
    assert (event.endpoint, event.failed, event.quantity) == ("/10", True, 1)
    assert event.occurred_at == datetime(2015, 5, 17, 0, 0, 10, tzinfo=UTC)
    assert balance(organization) == Decimal("-0.025")


def test_events_are_the_keys_that_is_named(organization: Organization, log_file: LogFile) -> None:
    key, _ = factories.key(organization)
    run(log_file(*lines(3)), organization, key_id=key.public_id)
    assert set(UsageEvent.objects.of(organization).values_list("key", flat=True)) == {key.pk}


def test_a_file_is_read_in_batches(organization: Organization, log_file: LogFile) -> None:
    run(log_file(*lines(2001)), organization)
    assert [amount for _, amount in usage_entries(organization)] == [-1, -1, Decimal("-0.001")]


def test_the_same_file_again_is_counted_once(organization: Organization, log_file: LogFile) -> None:
    path = log_file(*lines(25))
    run(path, organization)
    code, summary, _ = run(path, organization)
    assert (code, summary) == (0, "25 lines: 0 counted now, 25 counted before, 0 skipped.")
    assert counted(organization) == (25, 25)


def test_the_same_contents_gzipped_or_renamed_are_counted_once(organization: Organization, log_file: LogFile) -> None:
    for name in ("access.log", "access.log.gz", "other.log"):
        run(log_file(*lines(25), name=name), organization)
    assert counted(organization) == (25, 25)


def test_gzip_is_known_by_its_contents(organization: Organization, log_file: LogFile) -> None:
    path = log_file(*lines(3), name="access.log.gz")
    assert run(path.rename(path.with_suffix(".txt")), organization)[0] == 0
    assert counted(organization) == (3, 3)


def test_on_day_36_a_file_is_still_counted_once(organization: Organization, log_file: LogFile) -> None:
    path = log_file(*lines(25))
    run(path, organization)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=36)):
        code, summary, _ = run(path, organization)
    assert (code, summary) == (0, "25 lines: 0 counted now, 25 counted before, 0 skipped.")
    assert counted(organization) == (25, 25)


def test_on_day_36_a_file_would_be_counted_again_without_the_note_of_it(
    organization: Organization, log_file: LogFile
) -> None:
    """The control of the test above: the ids of its events are forgotten by then."""
    path = log_file(*lines(25))
    run(path, organization)
    ImportedFile.objects.of(organization).delete()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=36)):
        run(path, organization)
    assert counted(organization) == (50, 50)


def test_two_organizations_may_count_one_file(organization: Organization, charlie: Any, log_file: LogFile) -> None:
    path = log_file(*lines(3))
    for owner in (organization, charlie.current_organization):
        assert run(path, owner)[1].startswith("3 lines: 3 counted now")


def test_two_meters_may_count_one_file(organization: Organization, log_file: LogFile) -> None:
    path = log_file(*lines(3))
    for meter in ("requests", "sms"):
        assert run(path, organization, meter=meter)[1].startswith("3 lines: 3 counted now")
    assert balance(organization) == Decimal("-0.033")


def test_a_line_that_does_not_parse_is_reported_by_number_and_skipped(
    organization: Organization, log_file: LogFile
) -> None:
    first, second = lines(2)
    path = log_file(first, "nonsense", b"\x16\x03\x01\xff\x00[", "", second, second.replace("GET /1?q HTTP/1.1", "-"))
    code, summary, reported = run(path, organization)
    assert (code, summary) == (0, "6 lines: 2 counted now, 0 counted before, 4 skipped.")
    assert re.findall(r"line (\d+): skipped: .", reported) == ["2", "3", "4", "6"]
    assert counted(organization) == (2, 2)


def test_a_line_that_can_not_be_counted_is_reported_by_number(organization: Organization, log_file: LogFile) -> None:
    good, future, long, odd = lines(4)
    path = log_file(
        good,
        future.replace("2015", "9999"),
        long.replace("GET /2", "GET /" + "x" * 2000),
        odd.replace(" 200 ", " 999 "),
    )
    code, summary, reported = run(path, organization)
    assert (code, summary) == (0, "4 lines: 1 counted now, 0 counted before, 3 skipped.")
    assert re.findall(r"line (\d+): skipped: (\w+)", reported) == [
        ("2", "occurred_at"),
        ("3", "endpoint"),
        ("4", "status"),
    ]


@pytest.mark.parametrize("content", [[""], ["nonsense", "more of it"], [b"\x00\xff\xfe" * 1000]])
def test_a_file_without_a_readable_line_ends_with_1(
    organization: Organization, log_file: LogFile, content: list[str | bytes]
) -> None:
    for _ in range(2):
        assert run(log_file(*content), organization)[0] == 1
    assert counted(organization) == (0, 0)


def test_an_empty_log_is_no_failure(organization: Organization, log_file: LogFile) -> None:
    for name in ("access.log", "access.log.gz"):
        code, summary, _ = run(log_file(name=name), organization)
        assert (code, summary) == (0, "0 lines: 0 counted now, 0 counted before, 0 skipped.")
    assert not ImportedFile.objects.exists()


def test_a_last_line_without_an_end_is_read(organization: Organization, log_file: LogFile) -> None:
    path = log_file(*lines(3))
    path.write_bytes(path.read_bytes().rstrip())
    assert run(path, organization)[1].startswith("3 lines: 3 counted now")


# Logs that go on


def later() -> time_machine.travel:
    """After the 35 days in which the ids of events are remembered. Then only what the imports remember helps."""
    return time_machine.travel(datetime.now(UTC) + timedelta(days=36))


GROWN = (
    "The first 10 lines were imported before, from access.log.\n15 lines: 5 counted now, 10 counted before, 0 skipped."
)


def grown(organization: Organization, log_file: LogFile) -> str:
    return run(log_file(*lines(15), name="access.log"), organization)[1]


def test_of_a_log_that_has_grown_only_what_is_new_is_counted(organization: Organization, log_file: LogFile) -> None:
    run(log_file(*lines(10)), organization)
    assert grown(organization, log_file) == GROWN
    assert counted(organization) == (15, 15)
    assert run(log_file(*lines(15)), organization)[1].startswith("15 lines: 0 counted now, 15 counted before")


def test_after_the_ids_are_forgotten_too(organization: Organization, log_file: LogFile) -> None:
    run(log_file(*lines(10)), organization)
    with later():
        assert grown(organization, log_file) == GROWN
    assert counted(organization) == (15, 15)


def test_and_without_what_the_imports_remember_it_would_be_counted_again(
    organization: Organization, log_file: LogFile
) -> None:
    """The control of the test above."""
    run(log_file(*lines(10)), organization)
    ImportedFile.objects.of(organization).update(digest_read=b"")
    with later():
        grown(organization, log_file)
    assert counted(organization) == (25, 25)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_however_its_last_line_ended(organization: Organization, log_file: LogFile, end: bytes) -> None:
    path = log_file(*lines(10))
    path.write_bytes(path.read_bytes().rstrip() + end)
    run(path, organization)
    with later():
        assert run(log_file(*lines(10)), organization)[1] == "10 lines: 0 counted now, 10 counted before, 0 skipped."
        assert grown(organization, log_file) == GROWN


def test_it_may_grow_again_and_again(organization: Organization, log_file: LogFile) -> None:
    summaries = [run(log_file(*lines(n)), organization)[1] for n in (1, 999, 1000, 1001, 2500, 1000)]
    assert [re.findall(r"lines: ([\d,]+) counted now", summary) for summary in summaries] == [
        *[["1"], ["998"], ["1"], ["1"], ["1,499"], ["0"]]
    ]
    assert counted(organization) == (2500, 2500)


def test_two_logs_that_begin_alike_are_both_counted(organization: Organization, log_file: LogFile) -> None:
    """Of the second one, what comes after the last line that the two have in common."""
    first, second = lines(15), [*lines(10), *(line.replace("GET", "PUT") for line in lines(15)[10:])]
    for content in (first[:10], first, second):
        run(log_file(*content), organization)
    assert counted(organization) == (20, 20)


def test_a_log_that_was_grown_over_a_rotation_is_another_log(organization: Organization, log_file: LogFile) -> None:
    run(log_file(*lines(10)), organization)
    assert run(log_file(*lines(15)[10:]), organization)[1].startswith("5 lines: 5 counted now, 0 counted before")


# Standard input and pipes


def test_standard_input_is_read(organization: Organization, log_file: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, summary in (("access.log", "25 lines: 25 counted now"), ("access.log.gz", "25 lines: 0 counted now")):
        with log_file(*lines(25), name=name).open("rb") as log, monkeypatch.context() as patch:
            patch.setattr("sys.stdin", TextIOWrapper(log))
            assert run(Path("-"), organization)[1].startswith(summary)
    assert counted(organization) == (25, 25)


@pytest.mark.parametrize("name", ["access.log", "access.log.gz"])
def test_a_named_pipe_is_read(organization: Organization, log_file: LogFile, tmp_path: Path, name: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = log_file(*lines(2500), name=name).read_bytes()
    writer = Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert run(pipe, organization)[1] == "2,500 lines: 2,500 counted now, 0 counted before, 0 skipped."
    writer.join()
    assert counted(organization) == (2500, 2500)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"meter": "fax"}, "meter fax"),
        ({"key_id": "key_ffffffffffffffff"}, "key key_ffffffffffffffff of acct_"),
    ],
)
def test_a_meter_or_key_that_does_not_exist_is_named(
    organization: Organization, log_file: LogFile, options: dict[str, str], what: str
) -> None:
    with pytest.raises(CommandError, match=f"There is no {what}"):
        run(log_file(*lines(3)), organization, **options)
    assert not ImportedFile.objects.of(organization).exists()


def test_an_organization_that_does_not_exist_is_named(db: None, log_file: LogFile) -> None:
    unsaved = Organization(public_id="acct_ffffffffffffffff")
    with pytest.raises(CommandError, match="There is no organization acct_ffffffffffffffff"):
        run(log_file(*lines(3)), unsaved)


@pytest.mark.parametrize("keyholder", ["another's", "a child's", "the platform's"])
def test_a_key_that_is_not_the_organizations_is_refused(
    organization: Organization, charlie: Any, log_file: LogFile, keyholder: str
) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    owner = {"another's": charlie.current_organization, "a child's": child, "the platform's": None}[keyholder]
    key, _ = keys.create(owner, name="Not theirs")
    with pytest.raises(CommandError, match=f"There is no key {key.public_id}"):
        run(log_file(*lines(3)), organization, key_id=key.public_id)
    assert counted(organization) == (0, 0)


@pytest.mark.parametrize("damage", ["missing", "a folder", "cut off", "garbled"])
def test_a_file_that_can_not_be_read_is_an_error_and_counts_nothing(
    organization: Organization, tmp_path: Path, log_file: LogFile, damage: str
) -> None:
    packed = log_file(*lines(200), name="access.log.gz").read_bytes()
    path = tmp_path / "damaged.gz"
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(packed[:-20] if damage == "cut off" else packed[:40] + b"\xff" * 40 + packed[80:])
    with pytest.raises(CommandError, match="can't be read"):
        run(path, organization)
    assert counted(organization) == (0, 0)


@pytest.mark.skipif(not REAL_LOG.exists(), reason=f"{REAL_LOG} is not on this machine")
def test_the_real_log_gives_the_counts_of_its_readme(organization: Organization) -> None:
    readme = REAL_LOG.with_name("README.md").read_text()
    statuses = {int(s): int(n.replace(",", "")) for s, n in re.findall(r"(\d{3}): ([\d,]*\d)", readme)}
    with log_files.opened(REAL_LOG) as log:
        parsed = [access_log.parse(line.content.decode()) for line in log_files.lines(log)]
    assert Counter(request.status for request in parsed) == statuses
    code, summary, _ = run(REAL_LOG, organization)
    failed = sum(n for status, n in statuses.items() if status >= 400)
    assert (code, summary) == (0, "10,000 lines: 10,000 counted now, 0 counted before, 0 skipped.")
    assert totals.of(organization, *EVER) == totals.Totals(10_000, failed, Decimal(10))
    assert len(totals.by_endpoint(organization, *EVER)) == 1001
