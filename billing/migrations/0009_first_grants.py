from django.db import migrations

# Every entry that raised a balance becomes a grant, as yet unspent: what was spent since is the difference between the
# grants and the balance, and is allotted when it is next asked about. An account in debt owes before it has.
GRANTS = """
INSERT INTO billing_grant (id, account_id, entry_seq, category, priority, amount, remaining, expires_at, created_at)
SELECT gen_random_uuid(), account_id, seq, CASE kind WHEN 'grant' THEN 'promotional' ELSE 'paid' END, 50, amount,
       amount, NULL, created_at
  FROM billing_ledgerentry WHERE amount > 0
ON CONFLICT DO NOTHING
"""

# Rewritten by every batch, and by every posting that settles. Before any row comes: the check of its account waits for
# the end of the transaction, and until then PostgreSQL refuses to alter the table.
ROOM = """
ALTER TABLE billing_spending SET (fillfactor = 70);
ALTER TABLE billing_grant SET (fillfactor = 70);
ALTER TABLE billing_hold SET (fillfactor = 70);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_holds_and_reversals")]

    operations = [migrations.RunSQL(ROOM), migrations.RunSQL(GRANTS)]
