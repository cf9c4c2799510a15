"""The package: a ZIP of the month's tables, with a seal over their digests. `tollgate-client verify-finance` proves it.

It is kept in the database, in parts, so that any machine can make it and any can serve it. It can be made again at any
time after the month, with the same tables: what they are made of never changes.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import IO, cast

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import events
from accounts.events import sealing
from accounts.lib import exact_json, months, spreadsheets
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing.finance import tables
from billing.models import FinancePackage, FinancePackagePart

LOG = "finance"
SEAL = "seal.json"
MARGIN = timedelta(hours=1)  # everything that was under way at the end of the month is committed by then
EVERYWHERE = timedelta(hours=27)  # after that the month is over in every time zone


class MonthNotOver(Conflict):
    """There may still be new entries and papers in this month."""

    code = "month_not_over"
    detail = "The month isn't over yet. Its package can be made an hour after its end."


class _Parts:
    """A file-like object that writes the parts of a package."""

    def __init__(self, package: FinancePackage) -> None:
        self.package, self.pending, self.number, self.sha256 = package, bytearray(), 0, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.pending += content
        if len(self.pending) >= FinancePackagePart.PART:
            self.flush_part()
        return len(content)

    def flush(self) -> None:
        """zipfile calls this after each file. Does nothing, because parts are larger."""

    def flush_part(self) -> None:
        self.number += 1
        part = bytes(self.pending)
        FinancePackagePart.objects.create(package=self.package, number=self.number, content=part)
        self.sha256.update(part)
        self.package.size += len(part)
        self.pending.clear()


def make_due(now: datetime) -> FinancePackage | None:
    """Make the last month's package, once the month is over everywhere. None if it exists already, or if there were no
    customers yet.

    There's a race here: of two workers, the second waits for the first, and is refused by the unique month.
    """
    month = months.shift(months.month_of(now - EVERYWHERE, settings.SELLER["timezone"]), -1)
    _, end = months.bounds(month, settings.SELLER["timezone"])
    if FinancePackage.objects.filter(month=month).exists() or not Organization.objects.filter(created_at__lt=end):
        return None
    try:
        return _make(month, now)
    except IntegrityError:
        if FinancePackage.objects.filter(month=month).exists():
            return None
        raise


def ensure(month: date, now: datetime) -> FinancePackage:
    """The package of a month. Made if there is none."""
    return FinancePackage.objects.filter(month=month).first() or make(month, now)


@transaction.atomic
def make(month: date, now: datetime) -> FinancePackage:
    """Make the package of a month, replacing an existing one."""
    if months.bounds(month, settings.SELLER["timezone"])[1] + MARGIN > now:
        raise MonthNotOver
    FinancePackage.objects.filter(month=month).delete()
    return _make(month, now)


@transaction.atomic
def _make(month: date, now: datetime) -> FinancePackage:
    package = FinancePackage.objects.create(month=month, made_at=now)
    parts = _Parts(package)
    _write(month, cast(IO[bytes], parts))
    parts.flush_part()
    package.sha256 = parts.sha256.digest()
    package.save(update_fields=["size", "sha256"])
    made = {"month": str(package), "size": package.size, "sha256": package.sha256.hex()}
    events.record(None, "finance_package.made", made, now, targets=[str(package)])
    return package


def _write(month: date, target: IO[bytes]) -> None:
    digests = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in tables.of(month):
            digests[name] = _add(archive, name, spreadsheets.stream(table.columns, table.rows))
        claims = {"log": LOG, "month": f"{month:%Y-%m}", "files": digests}
        archive.writestr(SEAL, exact_json.dumps({**claims, "signature": sealing.sign(claims)}))


def _add(archive: zipfile.ZipFile, name: str, parts: Iterable[bytes]) -> str:
    """Write a file of any size. Returns its SHA-256."""
    sha256 = hashlib.sha256()
    with archive.open(name, "w", force_zip64=True) as file:
        for part in parts:
            sha256.update(part)
            file.write(part)
    return sha256.hexdigest()


def download(package: FinancePackage, now: datetime) -> Iterator[bytes]:
    """The ZIP, one part at a time. The download is recorded as an event of the company."""
    downloaded = {"month": str(package), "sha256": bytes(package.sha256).hex()}
    events.record(None, "finance_package.downloaded", downloaded, now, targets=[str(package)])
    numbers = list(package.parts.order_by("number").values_list("number", flat=True))
    return (bytes(package.parts.values_list("content", flat=True).get(number=number)) for number in numbers)
