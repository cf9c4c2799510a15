from typing import Any

import pytest

from accounts.lib import sql


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hand-written statements that were run, which Django's count of queries doesn't know."""
    seen: list[str] = []
    rows = sql.rows

    def run(statement: str, parameters: Any) -> Any:
        seen.append(statement)
        return rows(statement, parameters)

    monkeypatch.setattr(sql, "rows", run)
    return seen
