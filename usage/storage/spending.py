"""What payers, keys and organizations spent in the months of their payer, from usage and captures.

`check_ledger` compares it with what was counted, and a rebuild puts it there. The parameters are those of
`payer_months` and `places`.
"""

from accounts.lib import quarters, sql
from usage.storage import payer_months

ALL_PAYERS = "true"
CHOSEN_PAYERS = "e.account_id = ANY(%(accounts)s::uuid[])"

# The end of the last retired month. Events that occurred before it may be missing.
HORIZON = """
(SELECT coalesce((max(month) + interval '1 month') AT TIME ZONE 'UTC', '-infinity') FROM usage_retiredpartition)"""

# Whether all events of a payer's month are there, whatever its time zone.
IS_WHOLE = sql.compose("month > ({horizon} AT TIME ZONE 'UTC')::date", horizon=HORIZON)

# Whether the subject is an organization beneath the payer, rather than the payer or a key.
IS_BENEATH = "subject <> account_id AND EXISTS (SELECT FROM accounts_organization n WHERE n.id = subject)"

# Of a usage event `e`.
NOT_VOIDED = """
NOT EXISTS (SELECT FROM usage_eventvoid v WHERE (v.account_id, v.organization_id, v.event_id, v.recorded_at)
                                              = (e.account_id, e.organization_id, e.id, e.recorded_at))"""

# How a row finds the month in which it counts.
IN_MONTH = sql.compose(
    """
JOIN {payer_months} ON payer_month.account_id = counted.account_id
                   AND counted.moment >= payer_month.starts_at AND counted.moment < payer_month.ends_at""",
    payer_months=payer_months.INTERVALS,
)

# Captures of holds that were not reversed, with the hold that says who reserved it.
CAPTURES = """
    SELECT e.account_id, e.seq, e.created_at AS moment, h.organization_id, h.key_id, -e.amount AS credits
      FROM billing_ledgerentry e
      LEFT JOIN billing_hold h ON h.account_id = e.account_id AND h.entry_seq = e.seq
     WHERE e.kind = 'capture' AND {payers}
       AND NOT EXISTS (SELECT FROM billing_ledgerentry r
                        WHERE r.account_id = e.account_id AND r.reverses_seq = e.seq)"""

# It needs no events, so it is known of retired months as well.
BY_PAYERS_AND_KEYS = """
    SELECT counted.account_id, subject, month, credits
      FROM (SELECT e.account_id, bucket AS moment, key_id, credits FROM usage_usagerollup e
             WHERE credits > 0 AND {payers}
             UNION ALL
            SELECT account_id, moment, key_id, credits FROM ({captures}) captures) counted {in_month}
     CROSS JOIN unnest(ARRAY[counted.account_id, key_id]) AS subject
     WHERE subject IS NOT NULL"""

# Each organization with what stood beneath it when it was counted. `place` says where an organization stood from one
# entry of its payer to another. Only events name their entry, so they are read here.
BENEATH = """
    SELECT counted.account_id, subject, month, credits
      FROM (SELECT e.account_id, {bucket} AS moment, organization_id, entry_seq AS seq, sum(credits) AS credits
              FROM usage_event e
             WHERE credits > 0 AND organization_id <> account_id AND {payers} AND {not_voided}
             GROUP BY 1, 2, 3, 4
             UNION ALL
            SELECT account_id, moment, organization_id, seq, credits FROM ({captures}) captures) counted {in_month}
      JOIN json_to_recordset(%(places)s::json) AS place(organization uuid, after bigint, through bigint, path uuid[])
        ON place.organization = counted.organization_id AND seq > place.after AND seq <= place.through
     CROSS JOIN unnest(place.path) AS subject
     WHERE subject <> counted.account_id AND {is_whole}"""


def by_payers_and_keys(payers: str) -> str:
    """Rows (account_id, subject, month, credits) of what the payers and their keys used."""
    captures = sql.compose(CAPTURES, payers=payers)
    return sql.compose(BY_PAYERS_AND_KEYS, payers=payers, captures=captures, in_month=IN_MONTH)


def beneath(payers: str, is_whole: str = IS_WHOLE) -> str:
    """The same rows, of the organizations beneath the payers, in months of which all events are there."""
    return sql.compose(
        BENEATH,
        bucket=quarters.sql_floor("occurred_at"),
        payers=payers,
        not_voided=NOT_VOIDED,
        captures=sql.compose(CAPTURES, payers=payers),
        in_month=IN_MONTH,
        is_whole=is_whole,
    )
