"""What an online register says about VAT ids. An outage of the register blocks nothing: until it answers, an id counts
as valid if its format is.
"""

from datetime import datetime, timedelta

import requests
import structlog
from django.conf import settings

from billing.invoicing import vat_ids
from billing.models import BillingAccount

log = structlog.get_logger()

TIMEOUT = (3, 10)
RETRY = timedelta(hours=1)
SWEEP_SIZE = 20


def sweep(now: datetime) -> int:
    """Ask about new VAT ids, and store the answers with their time. Returns how many there were."""
    if not settings.VAT_ID_REGISTER:
        return 0
    due = BillingAccount.objects.filter(vat_id_due_at__lte=now).exclude(vat_id="").order_by("vat_id_due_at")
    return sum(_check(account, now) for account in due[:SWEEP_SIZE])


def _check(account: BillingAccount, now: datetime) -> bool:
    """The row may have another VAT id by the time of the answer: then that one is asked about later."""
    row = BillingAccount.objects.filter(pk=account.pk, vat_id=account.vat_id)
    if account.country not in vat_ids.UNION:
        row.update(vat_id_due_at=None)
        return False
    try:
        is_valid = ask(account.vat_id)
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        log.warning("register of VAT ids has not answered", account=account.public_id, error=str(error))
        row.update(vat_id_due_at=now + RETRY)
        return False
    row.update(vat_id_valid=is_valid, vat_id_checked_at=now, vat_id_due_at=None)
    return True


def ask(vat_id: str) -> bool:
    """VIES: `GET …/ms/DE/vat/136695976` answers `{"isValid": true, …}`."""
    address = f"{settings.VAT_ID_REGISTER.rstrip('/')}/ms/{vat_id[:2]}/vat/{vat_id[2:]}"
    answer = requests.get(address, timeout=TIMEOUT)
    answer.raise_for_status()
    is_valid = answer.json()["isValid"]
    if not isinstance(is_valid, bool):
        raise ValueError(f"isValid is {is_valid!r}")
    return is_valid
