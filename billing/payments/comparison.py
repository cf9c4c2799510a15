"""The daily comparison of the gateway's objects with our rows: it finds what no event told.

Very rarely an event is never made, and none is kept longer than a month.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from billing.models import Dispute, PolledGateway
from billing.payments import disputes, gateways, inbound, intents, observing, refunding
from billing.payments.gateways import Gateway, Subject

log = structlog.get_logger()

EVERY = timedelta(hours=24)
INTENTS = timedelta(days=3)  # how far back: an open payment is looked at anyway, until it is settled
AFTERMATH = timedelta(days=35)  # a refund fails, and a dispute moves money, long after it was made


def run_due(gateway: Gateway, now: datetime) -> bool:
    """Compare once a day. False if it is not due. A comparison that was interrupted is repeated."""
    polled = PolledGateway.objects.filter(gateway=gateway.name).first()
    if polled is None or (polled.compared_at and polled.compared_at > now - EVERY):
        return False
    compare(gateway, polled.compared_at or now, now)
    PolledGateway.objects.filter(pk=polled.pk).update(compared_at=now)
    inbound.purge(now)
    return True


def compare(gateway: Gateway, since: datetime, now: datetime) -> None:
    """Look at each object that was made in the time before `since` or after it, and at each dispute without an end."""
    for intent in gateway.intents(since - INTENTS):
        _observe(intent.id, partial(intents.observe, intent, gateway))
    for refund in gateway.refunds(since - AFTERMATH):
        _observe(refund.id, partial(refunding.observe, refund, gateway, now))
    for dispute in gateway.disputes(since - AFTERMATH):
        _observe(dispute.id, partial(disputes.observe, dispute, gateway, now))
    for id in _older(gateway, since - AFTERMATH):
        _observe(id, partial(observing.look, Subject.DISPUTE, id, gateway, now))


def _older(gateway: Gateway, before: datetime) -> Iterable[str]:
    """The gateway's ids of disputes that were made before, and have no end yet."""
    undecided = Dispute.objects.filter(payment__gateway=gateway.name, status__in=Dispute.UNDECIDED)
    return undecided.filter(created_at__lt=before).values_list("gateway_reference", flat=True)


def _observe(id: str, observe: Callable[[], Any]) -> None:
    """An object that can't be brought up to date must not stop the others."""
    try:
        observe()
    except gateways.GatewayUnavailable:
        raise
    except Exception:
        log.exception("object of the gateway not compared", id=id)
