"""Refusals of billing."""

from decimal import Decimal

from accounts.lib.problems import Conflict, Forbidden, Problem


class NotEnoughCredits(Problem):
    """An admission exceeds what is available."""

    status = 402
    code = "not_enough_credits"
    detail = "Not enough credits available."

    def __init__(self, available: Decimal) -> None:
        super().__init__(available=available)


class BudgetExceeded(Problem):
    """An admission would exceed the monthly budget of a key or an organization.

    `subject` is null for an organization above the caller's, which the caller may not see.
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
    """The organization needs a billing account for this."""

    code = "billing_account_required"
    detail = "Create a billing account first."


class PaymentMethodRequired(Conflict):
    """A purchase needs a card, and none is on file."""

    code = "payment_method_required"
    detail = "Add a payment method first."


class GatewayNotAvailable(Conflict):
    """The payment gateway does not answer, or does not accept our key. Nothing happened."""

    status = 503
    code = "gateway_unavailable"
    detail = "The payment gateway is not available. Try again in a minute."


class PaymentReused(Conflict):
    """The payment's id was already used for another payment."""

    code = "payment_reused"
    detail = "This form was already used for another payment. Reload the page."


class PostingConflict(Conflict):
    """The ledger's idempotency key was already used for another entry."""

    code = "posting_conflict"
    detail = "This idempotency key belongs to another ledger entry."


class BalanceOutOfRange(Conflict):
    """The balance would have more than 15 digits before the point."""

    code = "balance_out_of_range"
    detail = "The balance would be too large for an account."


class AlreadyReversed(Conflict):
    """The entry was already reversed."""

    code = "already_reversed"
    detail = "The entry was already reversed."


class CorrectedByVoid(Conflict):
    """A usage entry is the sum of its events. Void those one by one."""

    code = "corrected_by_void"
    detail = "Usage is corrected by voiding its events."


class NotReversible(Conflict):
    """A correction can't be reversed itself."""

    code = "not_reversible"
    detail = "A reversal, or the adjustment of a void, can't be reversed. Post an adjustment instead."
