from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext

from accounts.lib.money import ZERO
from accounts.lib.problems import NotFound
from accounts.models import Organization
from billing.change_requests.action import Action, Params, moment, payer
from billing.ledger import corrections, grants, thresholds
from billing.ledger.lots import Lot
from billing.models import LedgerAccount, LedgerEntry


class OfPayer(Action):
    """An action on a root organization."""

    def load(self, subject: str) -> Organization:
        return payer(subject)

    def organization(self, row: Organization) -> Organization:
        return row


class Adjust(OfPayer):
    kind = "adjust"

    def amount(self, row: Organization, params: Params) -> Decimal:
        return abs(Decimal(params["amount"]))

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        amount, expires_at = Decimal(params["amount"]), moment(params, "expires_at")
        terms = {"reason": reason, "actor": actor}
        entry = corrections.adjust(row.pk, amount=amount, now=now, expires_at=expires_at, **terms)
        return gettext("Posted: %(entry)s.") % {"entry": entry}


class GrantCredits(OfPayer):
    kind = "grant"

    def amount(self, row: Organization, params: Params) -> Decimal:
        return Decimal(params["amount"])

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        lot = Lot(params["category"], params["priority"], moment(params, "expires_at"))
        grant = grants.give(row, Decimal(params["amount"]), lot, description=reason, actor=actor, now=now)
        return gettext("Granted: %(lot)s.") % {"lot": grant.public_id}


class SetCreditLimit(OfPayer):
    kind = "credit_limit"

    def amount(self, row: Organization, params: Params) -> Decimal:
        """By how much the limit is raised."""
        account = LedgerAccount.objects.filter(pk=row.pk).first()
        before = account.credit_limit if account else ZERO
        return max(Decimal(params["credit_limit"]) - before, ZERO)

    def run(self, row: Organization, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        limit = Decimal(params["credit_limit"])
        thresholds.set_credit_limit(row.pk, credit_limit=limit, reason=reason, actor=actor, now=now)
        return gettext("The credit limit is set.")


class Reverse(Action):
    """`subject` is the payer and the number of the entry: `acct_….7`."""

    kind = "reverse"

    def load(self, subject: str) -> LedgerEntry:
        account, _, seq = subject.partition(".")
        entries = LedgerEntry.objects.of(payer(account)).select_related("account__organization")
        entry = entries.filter(seq=int(seq)).first() if seq.isdecimal() and len(seq) <= 18 else None
        if entry is None:
            raise NotFound("There is no such entry.")
        return entry

    def organization(self, row: LedgerEntry) -> Organization:
        organization: Organization = row.account.organization
        return organization

    def amount(self, row: LedgerEntry, params: Params) -> Decimal:
        return abs(Decimal(row.amount))

    def run(self, row: LedgerEntry, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        expires_at = moment(params, "expires_at")
        entry = corrections.reverse(row, reason=reason, actor=actor, now=now, expires_at=expires_at)
        return gettext("Posted: %(entry)s.") % {"entry": entry}
