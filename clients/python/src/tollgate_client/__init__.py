"""Tollgate for gateways: verify keys, lease credits, report usage."""

from tollgate_client.client import Client, Verdict
from tollgate_client.errors import Refused, TollgateError, Unreachable
from tollgate_client.leases import Lease, OutOfCredits, Spending
from tollgate_client.reporter import Reporter
from tollgate_client.spool import Spool

__all__ = [
    "Client",
    "Lease",
    "OutOfCredits",
    "Refused",
    "Reporter",
    "Spending",
    "Spool",
    "TollgateError",
    "Unreachable",
    "Verdict",
]
