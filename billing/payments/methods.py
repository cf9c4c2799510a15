"""Which card on file is the default one, and removing one. Both under the payer's lock, as adding one is."""

from django.db import transaction
from django.utils import timezone

from accounts.lib.problems import NotFound
from billing.ledger import posting
from billing.models import AutoRecharge, PaymentMethod


@transaction.atomic
def make_default(card: PaymentMethod) -> PaymentMethod:
    """The card that is charged unless another is named. `NotFound` when it was removed meanwhile."""
    posting.lock([card.organization_id])
    on_file = PaymentMethod.objects.of(card.organization)
    if not on_file.filter(pk=card.pk).exists():
        raise NotFound
    on_file.exclude(pk=card.pk).update(is_default=False)
    on_file.filter(pk=card.pk).update(is_default=True)
    card.refresh_from_db(fields=["is_default"])
    return card


@transaction.atomic
def remove(card: PaymentMethod) -> None:
    """Take a card off file; a payment under way goes on. The newest of the others takes the place of a default one."""
    posting.lock([card.organization_id])
    on_file = PaymentMethod.objects.of(card.organization)
    was_default = on_file.filter(pk=card.pk, is_default=True).exists()
    on_file.filter(pk=card.pk).update(removed_at=timezone.now(), is_default=False)
    AutoRecharge.objects.filter(payment_method=card).update(payment_method=None)
    newest = on_file.order_by("-created_at", "-pk").first()
    if was_default and newest:
        on_file.filter(pk=newest.pk).update(is_default=True)
