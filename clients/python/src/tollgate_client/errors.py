"""What can go wrong between a gateway and Tollgate."""

from collections.abc import Mapping
from typing import Any


class TollgateError(Exception):
    """The base class of the errors below."""


class Unreachable(TollgateError):
    """No answer that says what was done, after all retries: 5xx, a timeout or a broken connection."""


class Refused(TollgateError):
    """Tollgate understood and refused. `code` is stable; `problem` is the whole problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or status))
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
