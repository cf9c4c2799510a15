"""Changes by operators to a customer's money, access and prices: requested, previewed, and decided.

To preview an action, its own verb runs in a transaction that is rolled back. So the preview shows what the customer's
ledger and events will really contain, and a refusal shows before anybody confirms.
"""

from billing.change_requests.access import Close, Resume, Suspend
from billing.change_requests.action import Action
from billing.change_requests.credits import Adjust, GrantCredits, Reverse, SetCreditLimit
from billing.change_requests.papers import CreditNote, RefundPayment, WriteOff
from billing.change_requests.prices import ChangePrice

ACTIONS: dict[str, Action] = {
    action.kind: action
    for action in (
        Adjust(),
        GrantCredits(),
        Reverse(),
        RefundPayment(),
        CreditNote(),
        WriteOff(),
        SetCreditLimit(),
        Suspend(),
        Resume(),
        Close(),
        ChangePrice(),
    )
}

__all__ = ["ACTIONS", "Action"]
