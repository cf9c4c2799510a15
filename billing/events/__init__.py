"""The types of events that billing has: each file registers those of its subject."""

from billing.events import credits as credits
from billing.events import invoicing as invoicing
from billing.events import payments as payments
