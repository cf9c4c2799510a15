"""The package: a ZIP of the month's tables, with a seal over their digests. `tollgate-client verify-finance` proves it.

It can be made again at any time after the month, with the same tables: what they are made of never changes.
"""

import hashlib
import io
import zipfile
from datetime import date, datetime, timedelta

from django.conf import settings

from accounts.events import sealing
from accounts.lib import exact_json, months, spreadsheets
from accounts.lib.problems import Conflict
from billing.finance import tables

LOG = "finance"
SEAL = "seal.json"
MARGIN = timedelta(hours=1)  # what was underway at the end of the month is committed by then


class MonthNotOver(Conflict):
    """Entries and papers of it may still come."""

    code = "month_not_over"
    detail = "The month isn't over yet. Its package can be made an hour after its end."


def make(month: date, *, now: datetime) -> bytes:
    if months.bounds(month, settings.SELLER["timezone"])[1] + MARGIN > now:
        raise MonthNotOver
    files = {name: spreadsheets.csv_of(table.columns, table.rows) for name, table in tables.of(month).items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    claims = {"log": LOG, "month": f"{month:%Y-%m}", "files": digests}
    files[SEAL] = exact_json.dumps({**claims, "signature": sealing.sign(claims)}).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()
