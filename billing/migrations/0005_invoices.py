"""Papers: invoices, credit notes and statements, with their numbers, taxes, states and documents.

New columns have defaults in the database, so that the release before may go on writing.
"""

import accounts.lib.identifiers
import accounts.lib.jsonb
import accounts.lib.money
import django.db.models.deletion
import django.db.models.expressions
from decimal import Decimal
from django.db import migrations, models

from accounts.lib.migrating import lock_first

# The state of a paper, beside it, is the only thing of it that changes.
IMMUTABLE = """
CREATE TRIGGER invoice_immutable BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_no_truncate BEFORE TRUNCATE ON billing_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_line_immutable BEFORE UPDATE OR DELETE ON billing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_line_no_truncate BEFORE TRUNCATE ON billing_invoiceline
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_document_immutable BEFORE UPDATE OR DELETE ON billing_invoicedocument
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoice_document_no_truncate BEFORE TRUNCATE ON billing_invoicedocument
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""

UNGUARDED = """
DROP TRIGGER invoice_immutable ON billing_invoice;
DROP TRIGGER invoice_no_truncate ON billing_invoice;
DROP TRIGGER invoice_line_immutable ON billing_invoiceline;
DROP TRIGGER invoice_line_no_truncate ON billing_invoiceline;
DROP TRIGGER invoice_document_immutable ON billing_invoicedocument;
DROP TRIGGER invoice_document_no_truncate ON billing_invoicedocument;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_webhooks'),
        ('billing', '0004_exact_metadata'),
    ]

    operations = [
        lock_first("billing_billingaccount", "billing_payment", "billing_refund"),
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('credit_note', 'Credit Note'), ('statement', 'Statement')], max_length=11)),
                ('ordinal', models.PositiveIntegerField(null=True)),
                ('number', models.CharField(blank=True, max_length=40)),
                ('currency', models.CharField(max_length=3)),
                ('period_start', models.DateTimeField()),
                ('period_end', models.DateTimeField()),
                ('issued_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(null=True)),
                ('seller', models.JSONField()),
                ('buyer', models.JSONField()),
                ('taxes', models.JSONField(decoder=accounts.lib.jsonb.Decoder, default=list, encoder=accounts.lib.jsonb.Encoder)),
                ('subtotal', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('tax', accounts.lib.money.AmountField(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('total', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
            ],
        ),
        migrations.CreateModel(
            name='InvoiceLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_annex', models.BooleanField()),
                ('position', models.PositiveIntegerField()),
                ('description', models.CharField(max_length=300)),
                ('meter', models.CharField(blank=True, max_length=50)),
                ('quantity', accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True)),
                ('unit_amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24, null=True)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
            ],
            options={
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='InvoiceSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seller', models.CharField(max_length=40)),
                ('kind', models.CharField(max_length=11)),
                ('year', models.PositiveSmallIntegerField()),
                ('last', models.PositiveIntegerField()),
            ],
            options={
                'verbose_name_plural': 'invoice series',
            },
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(max_length=2)),
                ('region', models.CharField(blank=True, help_text='A state as in billing accounts. Empty: all of it.', max_length=50)),
                ('valid_from', models.DateField()),
                ('name', models.CharField(default='VAT', max_length=30)),
                ('percent', models.DecimalField(decimal_places=3, max_digits=6)),
            ],
            options={
                'ordering': ['country', 'region', '-valid_from'],
            },
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='purchase_order',
            field=models.CharField(blank=True, db_default='', default='', max_length=50),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='tax_exemption',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='tax_percent',
            field=models.DecimalField(blank=True, decimal_places=3, max_digits=6, null=True),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='vat_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=30, verbose_name='VAT id'),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='vat_id_checked_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='VAT id checked at'),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='vat_id_due_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='vat_id_valid',
            field=models.BooleanField(editable=False, null=True, verbose_name='VAT id is valid'),
        ),
        migrations.AddField(
            model_name='payment',
            name='taxes',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), decoder=accounts.lib.jsonb.Decoder, default=list, encoder=accounts.lib.jsonb.Encoder),
        ),
        migrations.CreateModel(
            name='InvoiceDocument',
            fields=[
                ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='document', serialize=False, to='billing.invoice')),
                ('pdf', models.BinaryField()),
                ('sha256', models.CharField(max_length=64)),
                ('standard', models.CharField(blank=True, max_length=20)),
                ('xml', models.TextField(blank=True)),
                ('made_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='InvoiceState',
            fields=[
                ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='state', serialize=False, to='billing.invoice')),
                ('status', models.CharField(choices=[('issued', 'Issued'), ('open', 'Open'), ('paid', 'Paid'), ('past_due', 'Past Due'), ('uncollectible', 'Uncollectible')], max_length=13)),
                ('paid_at', models.DateTimeField(null=True)),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('step', models.PositiveSmallIntegerField(default=0)),
                ('needs_card', models.BooleanField(default=False)),
                ('document_due_at', models.DateTimeField(null=True)),
                ('document_attempts', models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='invoice',
            name='corrects',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='billing.invoice'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='accounts.organization'),
        ),
        migrations.AddField(
            model_name='payment',
            name='invoice',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.invoice'),
        ),
        migrations.AddField(
            model_name='refund',
            name='credit_note',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refund', to='billing.invoice'),
        ),
        migrations.AddField(
            model_name='invoiceline',
            name='invoice',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='all_lines', to='billing.invoice'),
        ),
        migrations.AddField(
            model_name='invoiceline',
            name='organization',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization'),
        ),
        migrations.AddConstraint(
            model_name='invoiceseries',
            constraint=models.UniqueConstraint(fields=('seller', 'kind', 'year'), name='invoice_series_once'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='series',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.invoiceseries'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.UniqueConstraint(fields=('country', 'region', 'valid_from'), name='tax_rate_once'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.CheckConstraint(condition=models.Q(('percent__gte', 0), ('percent__lte', 100)), name='tax_rate_percent'),
        ),
        migrations.AddIndex(
            model_name='invoicestate',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at'], name='invoice_to_collect'),
        ),
        migrations.AddIndex(
            model_name='invoicestate',
            index=models.Index(condition=models.Q(('document_due_at__isnull', False)), fields=['document_due_at'], name='invoice_to_print'),
        ),
        migrations.AddConstraint(
            model_name='invoicestate',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('paid_at__isnull', False), ('status', 'paid')), models.Q(models.Q(('status', 'paid'), _negated=True), ('paid_at', None)), _connector='OR'), name='invoice_paid_at'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.UniqueConstraint(fields=('invoice', 'is_annex', 'position'), name='invoice_line_position'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(fields=('organization', 'issued_at'), name='invoice_of_organization'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(fields=('series', 'ordinal'), name='invoice_number_once'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'statement'), ('number', ''), ('ordinal', None), ('series', None), ('tax', 0)), models.Q(models.Q(('kind', 'statement'), _negated=True), ('ordinal__gte', 1), ('series__isnull', False), ('subtotal__gte', 0), ('tax__gte', 0)), _connector='OR'), name='invoice_is_numbered'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(models.F('subtotal'), '+', models.F('tax')))), name='invoice_total'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(('period_end__gte', models.F('period_start'))), name='invoice_period'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'credit_note'), _negated=True), ('corrects__isnull', False), _connector='OR'), name='invoice_credit_note_corrects'),
        ),
        migrations.RunSQL(IMMUTABLE, UNGUARDED),
    ]
