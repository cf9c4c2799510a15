"""What may go wrong between a gateway and Tollgate."""

from collections.abc import Mapping
from typing import Any


class TollgateError(Exception):
    """Any of the below."""


class Unreachable(TollgateError):
    """No answer, or none that says what was done, however often it was asked: 5xx, a timeout, a broken connection."""


class Refused(TollgateError):
    """Tollgate understood, and said no. `code` is stable; `problem` is the whole problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or status))
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
