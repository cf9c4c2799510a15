"""The PDF of a paper, and the e-invoice in it. Made after the commit, and kept for good."""

from billing.invoicing.documents.making import make_due

__all__ = ["make_due"]
