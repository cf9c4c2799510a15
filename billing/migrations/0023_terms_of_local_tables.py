"""The terms of a sold plan are kept on Citus too: there the tables of plans have other names than their own."""

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION billing_refuse_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM billing_subscription WHERE plan_id = {plan}) THEN
        RAISE EXCEPTION 'this version of the plan was sold: its terms stay as they are'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
"""
# A price and an allowance have a plan_id; the plan itself has not.
BY_COLUMN = "coalesce(to_jsonb(OLD) ->> 'plan_id', to_jsonb(NEW) ->> 'plan_id', to_jsonb(OLD) ->> 'id')::bigint"
BY_NAME = """CASE WHEN TG_TABLE_NAME = 'billing_plan' THEN (to_jsonb(OLD) ->> 'id')::bigint
                                     ELSE (coalesce(to_jsonb(OLD), to_jsonb(NEW)) ->> 'plan_id')::bigint END"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_seals_by_payer")]

    operations = [migrations.RunSQL(REFUSE.format(plan=BY_COLUMN), REFUSE.format(plan=BY_NAME))]
