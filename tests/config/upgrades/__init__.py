"""The releases from which an installation can be upgraded, each with a filled database and with what its code does.

`<release>/data.sql` fills the tables of the release's schema. `<release>/statements.sql` is what the release's code
sent to the database while it answered one request of each sort. Both were recorded by `record.py` at the release.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).parent
OWN = ("accounts", "apikeys", "billing", "usage")


@dataclass(frozen=True)
class Release:
    """`migrations` are the last ones of each app; `month` is when its usage events arrived."""

    name: str
    migrations: tuple[tuple[str, str], ...]
    month: date

    @property
    def data(self) -> Path:
        return FOLDER / self.name / "data.sql"

    @property
    def statements(self) -> Path:
        return FOLDER / self.name / "statements.sql"


RELEASES = [Release("0.1.0", tuple((app, "0001_initial") for app in OWN), date(2026, 11, 1))]
