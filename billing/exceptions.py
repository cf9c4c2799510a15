"""Refusals about money."""

from decimal import Decimal

from accounts.lib.problems import Conflict, Forbidden, Problem


class NotEnoughCredits(Problem):
    """An admission exceeds what is available."""

    status = 402
    code = "not_enough_credits"
    detail = "There are not enough credits available."

    def __init__(self, available: Decimal) -> None:
        super().__init__(available=available)


class BudgetExceeded(Problem):
    """An admission would exceed the monthly budget of a key or an organization.

    One of an organization above is not named: whoever asks may not see it.
    """

    status = 402
    code = "budget_exceeded"
    detail = "The monthly budget does not allow this."

    def __init__(self, subject: str | None, monthly_budget: Decimal | None, left: Decimal) -> None:
        super().__init__(subject=subject, monthly_budget=monthly_budget, available=left)


class BilledByParent(Forbidden):
    """A child organization has no account of its own: the root of its tree pays."""

    code = "billed_by_parent"
    detail = "This organization is billed by the organization at the top of its tree."


class NoBillingAccount(Conflict):
    """Something that needs a billing account was asked of an organization without one."""

    code = "billing_account_required"
    detail = "Create a billing account first."


class PaymentMethodRequired(Conflict):
    """A purchase needs a card, and there is none on file."""

    code = "payment_method_required"
    detail = "Add a payment method first."


class PaymentReused(Conflict):
    """The id of a payment was used before, for another one."""

    code = "payment_reused"
    detail = "This form was used for another payment already. Load it again."


class PostingConflict(Conflict):
    """The ledger's idempotency key was used before, for another movement."""

    code = "posting_conflict"
    detail = "This idempotency key belongs to another ledger entry."


class BalanceOutOfRange(Conflict):
    """An entry would lead beyond 15 digits before the point, above or below zero."""

    code = "balance_out_of_range"
    detail = "The balance would exceed what an account can have."


class AlreadyReversed(Conflict):
    """An entry is reversed once."""

    code = "already_reversed"
    detail = "The entry was reversed already."


class CorrectedByVoid(Conflict):
    """A usage entry is the sum of its events, and they are voided one by one."""

    code = "corrected_by_void"
    detail = "Usage is corrected by voiding its events."


class NotReversible(Conflict):
    """What corrects another entry is not taken back itself."""

    code = "not_reversible"
    detail = "A reversal, or the adjustment of a void, is not reversed. Post an adjustment instead."
