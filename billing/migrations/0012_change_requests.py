import accounts.lib.identifiers
import accounts.lib.jsonb
import accounts.lib.money
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


TERMS = "kind organization_id subject params amount reason note needs_approval requested_by_id requested_at expires_at".split()
OLD, NEW = (", ".join(f"{row}.{name}" for name in TERMS) for row in ("OLD", "NEW"))
DECIDED = f"""
CREATE FUNCTION billing_refuse_request_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was requested and decided stays as it is' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER change_request_terms BEFORE UPDATE ON billing_changerequest FOR EACH ROW
    WHEN (OLD.state <> 'waiting' OR ({OLD}) IS DISTINCT FROM ({NEW}))
    EXECUTE FUNCTION billing_refuse_request_change();
CREATE TRIGGER change_request_kept BEFORE DELETE ON billing_changerequest FOR EACH ROW
    EXECUTE FUNCTION billing_refuse_request_change();
"""
UNDECIDED = """
DROP TRIGGER change_request_kept ON billing_changerequest;
DROP TRIGGER change_request_terms ON billing_changerequest;
DROP FUNCTION billing_refuse_request_change;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0023_operators'),
        ('billing', '0011_live_subscriptions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ChangeRequest',
            fields=[
                ('id', models.UUIDField(default=accounts.lib.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('adjust', 'Adjust the balance'), ('grant', 'Grant credits'), ('reverse', 'Reverse an entry'), ('refund', 'Refund a payment'), ('credit_note', 'Issue a credit note'), ('write_off', 'Give up an invoice'), ('credit_limit', 'Set the credit limit'), ('suspend', 'Suspend'), ('resume', 'Resume'), ('price', 'Change a price')], max_length=12)),
                ('subject', models.CharField(max_length=60)),
                ('params', models.JSONField(decoder=accounts.lib.jsonb.Decoder, default=dict, encoder=accounts.lib.jsonb.Encoder)),
                ('amount', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('reason', models.CharField(max_length=200)),
                ('note', models.TextField(blank=True, max_length=4000)),
                ('needs_approval', models.BooleanField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('declined', 'Declined'), ('expired', 'Expired')], max_length=8)),
                ('requested_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('before', models.JSONField(default=dict)),
                ('after', models.JSONField(default=dict)),
                ('outcome', models.CharField(blank=True, max_length=200)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='change_requests', to='accounts.organization')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'permissions': [('request_adjust', 'Can request an adjustment'), ('request_grant', 'Can request a grant'), ('request_reverse', 'Can request a reversal'), ('request_refund', 'Can request a refund'), ('request_credit_note', 'Can request a credit note'), ('request_write_off', 'Can request that an invoice is given up'), ('request_credit_limit', 'Can request a credit limit'), ('request_suspend', 'Can request a suspension'), ('request_resume', 'Can request the end of a suspension'), ('request_price', 'Can request a price'), ('approve_changerequest', 'Can approve what another operator requests')],
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['expires_at'], name='change_request_waiting'), models.Index(fields=['organization', '-id'], name='change_request_of_organization'), models.Index(fields=['requested_by', '-requested_at'], name='change_request_by')],
                'constraints': [models.CheckConstraint(condition=models.Q(('decided_by', None), models.Q(('decided_by', models.F('requested_by')), _negated=True), ('state', 'declined'), _connector='OR'), name='change_request_two_people'), models.CheckConstraint(condition=models.Q(models.Q(('needs_approval', True), ('state', 'done'), _negated=True), ('decided_by__isnull', False), _connector='OR'), name='change_request_approved'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('decided_by', None), ('needs_approval', True), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='change_request_decided'), models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='change_request_amount'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='change_request_has_a_reason'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'price'), ('organization', None)), models.Q(models.Q(('kind', 'price'), _negated=True), ('organization__isnull', False)), _connector='OR'), name='change_request_concerns')],
            },
        ),
        migrations.RunSQL(DECIDED, UNDECIDED),
    ]
