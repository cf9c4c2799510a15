"""The stand-in's controls for tests: `POST /control/<verb>` with a JSON object, answered with JSON.

Faults and webhooks; what a person does on the pages; what is done in the dashboard, by banks and by networks; and the
book of money that really moved.
"""

import copy
from collections.abc import Callable
from typing import Any

from tests.stripe.errors import ApiError
from tests.stripe.faults import Faults
from tests.stripe.resources import disputes, intents, people, refunds, sessions, setups
from tests.stripe.state import Object, State
from tests.stripe.webhooks import Webhooks


class Control:
    def __init__(self, state: State, faults: Faults, webhooks: Webhooks) -> None:
        self.state, self.faults, self.webhooks = state, faults, webhooks
        self.verbs: dict[str, Callable[..., Any]] = {
            name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")
        }

    def do_fault(self, **fault: Any) -> None:
        self.faults.order(**fault)

    def do_clear_faults(self) -> None:
        self.faults.clear()

    def do_reset(self) -> None:
        """Forget everything, faults too: the next test has an account of its own."""
        self.faults.clear()
        for remembered in (self.state.objects, self.state.hidden, self.state.answers):
            remembered.clear()
        self.state.book.clear()
        self.state.calls.clear()

    def do_configure(self, **settings: Any) -> None:
        """`silent` (no events are made), `page_size`, and of webhooks `url`, `secrets`, `mode`."""
        for name, value in settings.items():
            target: Any = self.state if name in ("silent", "page_size") else self.webhooks
            setattr(target, name, value)

    def do_advance(self, seconds: float) -> None:
        """Move its clock forward: sessions expire, and idempotency keys are forgotten after 24 hours."""
        self.state.ahead += seconds

    def do_forget_keys(self) -> None:
        self.state.answers.clear()

    def do_book(self) -> list[Object]:
        return self.state.book

    def do_calls(self) -> list[Object]:
        """The names and keys of all calls so far."""
        return self.state.calls

    def do_object(self, id: str) -> Object:
        return self.state.objects[id]

    def do_events(self) -> list[Object]:
        return self.state.all("event")[::-1]

    def do_deliver(self, events: list[str] | None = None, type: str = "", new_ids: bool = False, **how: Any) -> Any:
        """Events by id, or all of a type, or all; `new_ids` gives each delivery an id of its own."""
        rows = [row for row in self.do_events() if row["id"] in events] if events else self.do_events()
        rows = [row for row in rows if row["type"] == type] if type else rows
        if new_ids:
            rows = [{**copy.deepcopy(row), "id": f"{row['id']}_again"} for row in rows]
        return self.webhooks.deliver(rows, **how)

    def do_complete(self, session: str, card: str) -> Object:
        try:
            return {"url": sessions.complete(self.state, session, card)}
        except ApiError as error:
            return {"decline": sessions.decline_of(error)}

    def do_expire_session(self, session: str) -> None:
        sessions.expire(self.state, self.state.objects[session])

    def do_authenticate(self, id: str, succeeded: bool) -> Object:
        row = self.state.objects[id]
        verb = setups.authenticate if row["object"] == "setup_intent" else intents.authenticate
        return {"url": verb(self.state, row, succeeded=succeeded)}

    def do_finish(self, intent: str, succeeded: bool) -> None:
        """A processing intent has its outcome; or one that we gave up succeeds all the same."""
        row = self.state.objects[intent]
        if succeeded:
            intents.succeed(self.state, row)
        else:
            intents.refuse(self.state, row, code="card_declined", decline_code="generic_decline")

    def do_refund(self, intent: str, amount: int) -> Object:
        """Made in the dashboard."""
        return refunds.create_refund(self.state, {"payment_intent": intent, "amount": amount})

    def do_finish_refund(self, refund: str, status: str) -> None:
        refunds.finish(self.state, refund, status=status)

    def do_dispute(self, intent: str, amount: int = 0, status: str = "needs_response") -> Object:
        row = self.state.objects[intent]
        return disputes.open_dispute(self.state, row, amount=amount or row["amount"], status=status)

    def do_withdraw(self, dispute: str) -> None:
        disputes.withdraw(self.state, self.state.objects[dispute])

    def do_reinstate(self, dispute: str, amount: int | None = None) -> None:
        disputes.reinstate(self.state, self.state.objects[dispute], amount)

    def do_close_dispute(self, dispute: str, status: str) -> None:
        disputes.close(self.state, self.state.objects[dispute], status=status)

    def do_warn(self, intent: str) -> Object:
        """A card network takes the payment for a fraud."""
        row = self.state.add("radar.early_fraud_warning", payment_intent=intent, actionable=True)
        self.state.tell("radar.early_fraud_warning.created", row)
        return row

    def do_detach(self, card: str) -> None:
        people.detach_card(self.state, {}, card)

    def do_update_card(self, card: str, exp_year: int, automatically: bool = True) -> None:
        people.update_card(self.state, card, exp_year, automatically=automatically)

    def do_delete_customer(self, customer: str) -> None:
        people.delete_customer(self.state, customer)
