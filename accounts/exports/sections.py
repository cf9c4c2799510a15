"""The registry of what an export has: a section for each table, registered by the app that owns the table.

A test finds the tables in the models. Each has a section, or is in `LEFT_OUT` with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from accounts.models import Organization, User

Subject = TypeVar("Subject", Organization, User)
File = tuple[str, bytes]


@dataclass(frozen=True)
class Section(Generic[Subject]):
    """`rows` are those of the organization and of all beneath it, or of the person, read along `order`: a unique key.

    Fields that are secrets, or that only the machinery needs, are left out by `without`. `file` is a file that a row
    has, such as a PDF.
    """

    name: str
    rows: Callable[[Subject], QuerySet[Any]]
    order: tuple[str, ...] = ("pk",)
    without: frozenset[str] = frozenset()
    file: Callable[[Any], File] | None = None
    batch: int = 20_000


OF_ORGANIZATION: dict[str, Section[Organization]] = {}
OF_PERSON: dict[str, Section[User]] = {}
LEFT_OUT: dict[type[Model], str] = {}


def of_organization(*sections: Section[Organization]) -> None:
    OF_ORGANIZATION.update({section.name: section for section in sections})


def of_person(*sections: Section[User]) -> None:
    OF_PERSON.update({section.name: section for section in sections})


def leave_out(reasons: Mapping[type[Model], str]) -> None:
    LEFT_OUT.update(reasons)
