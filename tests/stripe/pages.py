"""Stripe's pages: one that takes a card, and a bank's page that authenticates. Plain HTML."""

from html import escape

from tests.stripe.cards import CARDS
from tests.stripe.state import State

PAGE = "<!doctype html><title>{title}</title><h1>{title}</h1><form method=post>{buttons}</form>"
BUTTON = '<p><button name="{name}" value="{value}">{label}</button></p>'


def checkout(state: State, session: str) -> str:
    row = state.get("checkout.session", session)
    if row["status"] != "open":
        return "<!doctype html><title>Closed</title><h1>This page is no longer open.</h1>"
    buttons = "".join(BUTTON.format(name="card", value=card, label=escape(card)) for card in CARDS)
    return PAGE.format(title="Save a card" if row["mode"] == "setup" else "Pay", buttons=buttons)


def authentication() -> str:
    choices = (("true", "Complete"), ("false", "Fail"))
    buttons = "".join(BUTTON.format(name="succeeded", value=value, label=label) for value, label in choices)
    return PAGE.format(title="Authenticate", buttons=buttons)
