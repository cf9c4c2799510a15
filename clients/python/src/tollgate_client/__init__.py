"""Tollgate for gateways: verify keys, lease credits, report usage."""

from tollgate_client.client import Client, Verdict
from tollgate_client.errors import Refused, TollgateError, Unreachable
from tollgate_client.gate import Gate, Passage, Rule
from tollgate_client.leases import Lease, OutOfCredits, Spending
from tollgate_client.reporter import Reporter
from tollgate_client.spool import Spool
from tollgate_client.webhooks import NotSigned, verify_webhook

__all__ = [
    "Client",
    "Gate",
    "Lease",
    "NotSigned",
    "OutOfCredits",
    "Passage",
    "Refused",
    "Reporter",
    "Rule",
    "Spending",
    "Spool",
    "TollgateError",
    "Unreachable",
    "Verdict",
    "verify_webhook",
]
