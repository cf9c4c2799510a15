from django.db import migrations, models
from django.db.models import Q

from accounts.lib import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0005_invoices")]

    operations = [
        *migrating.add_index(
            "payment", models.Index(fields=["invoice"], condition=Q(invoice__isnull=False), name="payment_of_invoice")
        ),
        *migrating.add_unique(
            "payment",
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(purpose="invoice", status__in=["pending", "action_required"]),
                name="payment_one_of_invoice",
            ),
            on="billing_payment (invoice_id) WHERE purpose = 'invoice' AND status IN ('pending', 'action_required')",
        ),
        *migrating.add_index(
            "billingaccount",
            models.Index(
                fields=["vat_id_due_at"], condition=Q(vat_id_due_at__isnull=False), name="billing_account_vat_due"
            ),
        ),
        *migrating.add_check(
            "billingaccount",
            "billing_billingaccount",
            models.CheckConstraint(
                condition=Q(tax_percent=None) | Q(tax_percent__gte=0, tax_percent__lte=100),
                name="billing_account_tax_percent",
            ),
        ),
    ]
