from django.db import migrations

IMMUTABLE = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a mistake is corrected by a reversal', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON billing_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""

# A billing account, and a ledger account, belong to a root: an organization that is its own root.
ROOTS_ONLY = """
ALTER TABLE billing_billingaccount ADD CONSTRAINT billing_account_on_root
    FOREIGN KEY (organization_id, organization_id) REFERENCES accounts_organization (id, root_id);
ALTER TABLE billing_ledgeraccount ADD CONSTRAINT ledger_account_on_root
    FOREIGN KEY (organization_id, organization_id) REFERENCES accounts_organization (id, root_id);
"""

# Every posting rewrites its account's row: room on the page keeps that update off the indexes (HOT).
ROOM = "ALTER TABLE billing_ledgeraccount SET (fillfactor = 50);"


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(IMMUTABLE),
        migrations.RunSQL(ROOTS_ONLY),
        migrations.RunSQL(ROOM),
    ]
