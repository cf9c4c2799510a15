"""Demands of every form of a page or of the admin that changes something: it has to leave an event.

It watches the statements of each POST that succeeds, in all tests of pages and of the admin.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.models import Model
from django.test import Client

from accounts.lib import sql

CHANGE = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "((?:accounts|apikeys|billing|usage|django_admin)_\w+)"')
SAVEPOINT = re.compile(r'(ROLLBACK TO )?SAVEPOINT "(\w+)"')
EVENT, HISTORY = "accounts_event", "django_admin_log"

# Tables whose rows are no change that anybody makes: what follows from one, or keeps others out.
UNTOLD = {
    HISTORY: "what an operator did",
    "accounts_browsersession": "when somebody was here last",
    "accounts_email": "the mails of a change",
    "accounts_emailcode": "a code that was sent; what it proves is told",
    "accounts_idempotencyrecord": "the answer of a change",
    "accounts_knownnetwork": "where somebody signed in before",
    "accounts_operatornote": "what operators tell each other",
    "accounts_signinfailures": "guesses at a password",
    "usage_dismissedchecklist": "what a person doesn't want to see any more",
    "accounts_delivery": "what is sent of an event",
    "apikeys_ratecount": "how often a key was used",
    "billing_changerequest": "what an operator asks for; what is done of it is told",
    "billing_gatewaycustomer": "the payer's name at the gateway, before there is a card",
    "billing_ledgeraccount": "what has become due since",
    "billing_grant": "what has become due since",
    "billing_sandboxobject": "what the gateway keeps",
}
# What belongs to the company, and to no organization whose event it could be. It is in the admin's history.
COMPANY = re.compile(
    r"(accounts_user|apikeys_apikey|accounts_webhookendpoint|billing_(plan|meter|price|endpointprice))\w*"
)
# Pages that lead to the bank and write down that they did.
TO_THE_BANK = re.compile(r"/o/\w+/payments/\w+/")


@contextmanager
def demanded() -> Iterator[None]:
    """Raises `AssertionError` for a POST that changed something and told nobody."""
    send = Client.request

    def watched(client: Client, **request: Any) -> Any:
        if request.get("REQUEST_METHOD") != "POST":
            return send(client, **request)
        tables: set[str] = set()
        with connection.execute_wrapper(_noting(tables)), patch.object(sql, "copy", _copying(tables)):
            answer = send(client, **request)
        if answer.status_code < 400:
            _check(request["PATH_INFO"], tables)
        return answer

    with patch.object(Client, "request", watched):
        yield


def _copying(tables: set[str]) -> Any:
    """Adds the tables whose rows are inserted by COPY, which passes by the wrapper of statements."""
    copy = sql.copy

    def note(model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
        copied = list(rows)
        copy(model, copied)
        if copied:
            tables.add(model._meta.db_table)

    return note


def _noting(tables: set[str]) -> Any:
    """Adds the tables of which a statement changed rows, and takes out those whose changes were undone."""
    earlier: dict[str, set[str]] = {}

    def note(execute: Any, statement: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(statement, params, many, context)
        if match := SAVEPOINT.match(statement):
            undone, name = match.groups()
            if undone:
                tables.intersection_update(earlier.get(name, set()))
            else:
                earlier[name] = set(tables)
        elif context["cursor"].rowcount > 0:
            tables.update(CHANGE.findall(statement))
        return result

    return note


def _check(path: str, tables: set[str]) -> None:
    untold = tables - UNTOLD.keys()
    if EVENT in tables or TO_THE_BANK.fullmatch(path):
        return
    if path.startswith("/admin/") and HISTORY in tables:
        untold = {table for table in untold if not COMPANY.fullmatch(table)}
    assert not untold, f"{path} changed {', '.join(sorted(untold))} and left no event."
