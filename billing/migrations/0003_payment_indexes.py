from django.db import migrations, models
from django.db.models import F, Q

from accounts.lib import migrating

OPEN = Q(status__in=["pending", "action_required"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0002_payments")]

    operations = [
        *migrating.add_index("payment", models.Index(fields=["next_attempt_at"], condition=OPEN, name="payment_due")),
        *migrating.add_index(
            "payment", models.Index(fields=["intent"], condition=~Q(intent=""), name="payment_of_intent")
        ),
        *migrating.add_index(
            "autorecharge", models.Index(fields=["organization"], condition=Q(enabled=True), name="auto_recharge_on")
        ),
        *migrating.add_check(
            "payment",
            "billing_payment",
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount"), disputed__gte=0, tax__gte=0), name="payment_sums"
            ),
        ),
        *migrating.add_unique(
            "payment",
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(purpose="recharge", status__in=["pending", "action_required"]),
                name="payment_one_recharge",
            ),
            on="billing_payment (organization_id)"
            " WHERE purpose = 'recharge' AND status IN ('pending', 'action_required')",
        ),
        *migrating.add_unique(
            "paymentmethod",
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_backup=True), name="payment_method_one_backup"
            ),
            on="billing_paymentmethod (organization_id) WHERE is_backup",
        ),
        *migrating.add_unique(
            "paymentmethod",
            models.UniqueConstraint(
                fields=["gateway", "gateway_token"], condition=~Q(fingerprint=""), name="payment_method_token_once"
            ),
            on="billing_paymentmethod (gateway, gateway_token) WHERE NOT fingerprint = ''",
        ),
        *migrating.add_check(
            "paymentmethod",
            "billing_paymentmethod",
            models.CheckConstraint(
                condition=Q(is_backup=False) | Q(removed_at=None, is_default=False), name="payment_method_backup"
            ),
        ),
    ]
