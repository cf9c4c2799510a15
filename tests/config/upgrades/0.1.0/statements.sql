-- hold
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.125106+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SAVEPOINT "s140381452569472_x57";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT subject, budget, spent, held
  FROM (
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.137953+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = ANY((SELECT path FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)::uuid[]) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
, (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.137953+00:00'::timestamptz AND h.key_id = cap.id)
          FROM apikeys_apikey cap WHERE cap.id = NULL::uuid AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + 2 > budget ORDER BY budget - spent - held LIMIT 1;
WITH room AS (
    SELECT a.organization_id AS account_id, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid AS organization_id, NULL::uuid AS key_id,
           least(2, a.balance - a.reserved + a.credit_limit) AS granted
      FROM billing_ledgeraccount a
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.balance - a.reserved + a.credit_limit >= 2),


account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:05:53.137953+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.137953+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d8609127226baa2f8fdbf738e66'::uuid, account_id, organization_id, key_id, 'hold', granted, 0, 'open', '',
           '{}'::jsonb, '2026-11-27 15:00:53.137953+00:00'::timestamptz, '2026-11-27 15:05:53.137953+00:00'::timestamptz, NULL::timestamptz,
           true
      FROM account
    RETURNING id, amount)

SELECT id FROM hold;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d8609127226baa2f8fdbf738e66'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x57";
-- another hold
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.146726+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.1582959::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.1582959::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.1582959::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.1582959::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT pg_try_advisory_xact_lock(6161163790244183654);
SELECT "accounts_idempotencyrecord"."account_id", "accounts_idempotencyrecord"."organization_id", "accounts_idempotencyrecord"."credential", "accounts_idempotencyrecord"."key", "accounts_idempotencyrecord"."fingerprint", "accounts_idempotencyrecord"."resource", "accounts_idempotencyrecord"."status", "accounts_idempotencyrecord"."body", "accounts_idempotencyrecord"."created_at" FROM "accounts_idempotencyrecord" WHERE ("accounts_idempotencyrecord"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "accounts_idempotencyrecord"."credential" = 'key_34f4f5dcf01c9c87' AND "accounts_idempotencyrecord"."key" = 'hold-23-cd5e3da3' AND "accounts_idempotencyrecord"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) ORDER BY "accounts_idempotencyrecord"."account_id" ASC, "accounts_idempotencyrecord"."organization_id" ASC, "accounts_idempotencyrecord"."credential" ASC, "accounts_idempotencyrecord"."key" ASC LIMIT 1;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SAVEPOINT "s140381452569472_x58";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT subject, budget, spent, held
  FROM (
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.163394+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = ANY((SELECT path FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)::uuid[]) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
, (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.163394+00:00'::timestamptz AND h.key_id = cap.id)
          FROM apikeys_apikey cap WHERE cap.id = '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + 1 > budget ORDER BY budget - spent - held LIMIT 1;
WITH room AS (
    SELECT a.organization_id AS account_id, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid AS organization_id, '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AS key_id,
           least(1, a.balance - a.reserved + a.credit_limit) AS granted
      FROM billing_ledgeraccount a
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.balance - a.reserved + a.credit_limit >= 1),


account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:05:53.163394+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.163394+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d86092d72c6a034d5f26139df6a'::uuid, account_id, organization_id, key_id, 'hold', granted, 0, 'open', '',
           '{}'::jsonb, '2026-11-27 15:00:53.163394+00:00'::timestamptz, '2026-11-27 15:05:53.163394+00:00'::timestamptz, NULL::timestamptz,
           false
      FROM account
    RETURNING id, amount)

SELECT id FROM hold;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d86092d72c6a034d5f26139df6a'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x58";
INSERT INTO "accounts_idempotencyrecord" ("account_id", "organization_id", "credential", "key", "fingerprint", "resource", "status", "body", "created_at") VALUES ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 'key_34f4f5dcf01c9c87', 'hold-23-cd5e3da3', '\x3688940c5b102e46af448d5a881de6032c3adb8a272e57e7922cd57fd1285d00'::bytea, '', 201, '{"id": "hold_01a21d86092d72c6a034d5f26139df6a", "status": "open", "amount": 1, "captured": 0, "expires_at": "2026-11-27T15:05:53.163394Z", "organization": "acct_yesea27eh843znly", "key_id": "key_34f4f5dcf01c9c87", "reference": "", "metadata": {}, "created_at": "2026-11-27T15:00:53.163394Z"}', '2026-11-27 15:00:53.179466+00:00'::timestamptz);
-- a third hold
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.185204+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.205374::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.205374::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.205374::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.205374::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SAVEPOINT "s140381452569472_x59";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT subject, budget, spent, held
  FROM (
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.219009+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = ANY((SELECT path FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)::uuid[]) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
, (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.219009+00:00'::timestamptz AND h.key_id = cap.id)
          FROM apikeys_apikey cap WHERE cap.id = '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + 1 > budget ORDER BY budget - spent - held LIMIT 1;
WITH room AS (
    SELECT a.organization_id AS account_id, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid AS organization_id, '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AS key_id,
           least(1, a.balance - a.reserved + a.credit_limit) AS granted
      FROM billing_ledgeraccount a
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.balance - a.reserved + a.credit_limit >= 1),


account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:05:53.219009+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.219009+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d860963771c828662f53a76e7b7'::uuid, account_id, organization_id, key_id, 'hold', granted, 0, 'open', '',
           '{}'::jsonb, '2026-11-27 15:00:53.219009+00:00'::timestamptz, '2026-11-27 15:05:53.219009+00:00'::timestamptz, NULL::timestamptz,
           false
      FROM account
    RETURNING id, amount)

SELECT id FROM hold;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d860963771c828662f53a76e7b7'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x59";
-- capture
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.236124+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.2575176::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.2575176::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.2575176::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.2575176::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."purpose" = 'hold' AND "billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d86092d72c6a034d5f26139df6a'::uuid) ORDER BY "billing_hold"."id" DESC LIMIT 1;
SAVEPOINT "s140381452569472_x60";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH 
old AS (
    SELECT account_id, status, greatest(amount - captured, 0) AS unspent,
           CASE status WHEN 'open' THEN greatest(amount - captured, 0) ELSE 0 END AS held
      FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = '01a21d86092d72c6a034d5f26139df6a'::uuid AND status IN ('open', 'expired')),
movement AS (SELECT account_id, -coalesce(1.500000000::numeric, unspent) AS amount, held AS freed FROM old),

account AS (
    UPDATE billing_ledgeraccount a
       SET balance = a.balance + movement.amount, reserved = a.reserved - movement.freed,
           seq = a.seq + (movement.amount <> 0)::int, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.270456+00:00'::timestamptz)
      FROM movement WHERE a.organization_id = movement.account_id
    RETURNING movement.*, a.seq, a.balance, a.updated_at),
entry AS (
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT '01a21d86099773bdbdd26d40778824cd'::uuid, account_id, seq, 'capture', amount, balance, 'Hold captured', 'hold_01a21d86092d72c6a034d5f26139df6a', '{}'::jsonb,
       NULL, NULL::bigint, 'key_34f4f5dcf01c9c87', updated_at
  FROM account WHERE amount <> 0
RETURNING account_id, seq, balance_after)
UPDATE billing_hold h
   SET status = 'captured', captured = h.captured - account.amount, resolved_at = '2026-11-27 15:00:53.270456+00:00'::timestamptz,
       late = (h.status = 'expired'), entry_seq = CASE WHEN account.amount <> 0 THEN account.seq END
  FROM account WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.id = '01a21d86092d72c6a034d5f26139df6a'::uuid
RETURNING -account.amount, account.updated_at;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d86092d72c6a034d5f26139df6a'::uuid) LIMIT 21;
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, subject, '2026-11-01'::date, 1.500000000 FROM unnest('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85f2a5702db5940430128bb05c}'::uuid[]::uuid[]) AS subject ORDER BY subject
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('["01a21d85f2a5702db5940430128bb05c"]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x60";
-- release
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.288668+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.3092456::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.3092456::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.3092456::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.3092456::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."purpose" = 'hold' AND "billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d860963771c828662f53a76e7b7'::uuid) ORDER BY "billing_hold"."id" DESC LIMIT 1;
SAVEPOINT "s140381452569472_x61";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH 
old AS (
    SELECT account_id, status, greatest(amount - captured, 0) AS unspent,
           CASE status WHEN 'open' THEN greatest(amount - captured, 0) ELSE 0 END AS held
      FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = '01a21d860963771c828662f53a76e7b7'::uuid AND status IN ('open', 'expired')),
freed AS (SELECT account_id, held AS amount FROM old),

account AS (
    UPDATE billing_ledgeraccount a SET reserved = a.reserved - freed.amount, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.319097+00:00'::timestamptz)
      FROM freed WHERE a.organization_id = freed.account_id
    RETURNING a.organization_id)
UPDATE billing_hold h SET status = 'released', resolved_at = '2026-11-27 15:00:53.319097+00:00'::timestamptz
  FROM account WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.id = '01a21d860963771c828662f53a76e7b7'::uuid
RETURNING h.id;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d860963771c828662f53a76e7b7'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x61";
-- lease
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.332792+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "apikeys_apikey" WHERE ("apikeys_apikey"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "apikeys_apikey"."public_id" = 'key_34f4f5dcf01c9c87') ORDER BY "apikeys_apikey"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x62";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT subject, budget, spent, held
  FROM (
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.359622+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = ANY((SELECT path FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)::uuid[]) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
, (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.359622+00:00'::timestamptz AND h.key_id = cap.id)
          FROM apikeys_apikey cap WHERE cap.id = '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + 3 > budget ORDER BY budget - spent - held LIMIT 1;
WITH room AS (
    SELECT a.organization_id AS account_id, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid AS organization_id, '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AS key_id,
           least(3, a.balance - a.reserved + a.credit_limit) AS granted
      FROM billing_ledgeraccount a
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.balance - a.reserved + a.credit_limit >= 3),


account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:02:53.359622+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.359622+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d8609f37229b8a66045964c8c02'::uuid, account_id, organization_id, key_id, 'lease', granted, 0, 'open', '',
           '{}'::jsonb, '2026-11-27 15:00:53.359622+00:00'::timestamptz, '2026-11-27 15:02:53.359622+00:00'::timestamptz, '2026-11-27 15:01:53.359622+00:00'::timestamptz::timestamptz,
           true
      FROM account
    RETURNING id, amount)

SELECT id FROM hold;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x62";
-- extend
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.379408+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."purpose" = 'lease' AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) ORDER BY "billing_hold"."id" DESC LIMIT 1;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SAVEPOINT "s140381452569472_x63";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) LIMIT 21;
SELECT 1 FROM billing_grant
 WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND remaining > 0 AND kept AND expires_at > '2026-11-27 15:00:53.359622+00:00'::timestamptz LIMIT 1;
SELECT subject, budget, spent, held
  FROM (
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.407121+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = ANY((SELECT path FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)::uuid[]) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
, (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:53.407121+00:00'::timestamptz AND h.key_id = cap.id)
          FROM apikeys_apikey cap WHERE cap.id = '01a21d85f2a5702db5940430128bb05c'::uuid::uuid AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + 1 > budget ORDER BY budget - spent - held LIMIT 1;
WITH room AS (
    SELECT account_id, id,
           greatest(amount + 1 - captured, 0) - greatest(amount - captured, 0) AS granted
      FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = '01a21d8609f37229b8a66045964c8c02'::uuid AND status = 'open'),

account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:02:53.407121+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.407121+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND (1 = 0 OR a.balance - a.reserved + a.credit_limit >= 1)
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available)
UPDATE billing_hold h SET amount = h.amount + 1, spend_until = '2026-11-27 15:01:53.407121+00:00'::timestamptz, expires_at = '2026-11-27 15:02:53.407121+00:00'::timestamptz
  FROM account WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.id = account.id
RETURNING h.id;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x63";
-- events
WITH 
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= '2026-11-27 15:00:53.435565+00:00'::timestamptz - interval '1 minute', true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY(ARRAY['\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.435565+00:00'::timestamptz)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > '2026-11-27 15:00:53.435565+00:00'::timestamptz) AND 'usage:write' = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR false)
       AND (cardinality(k.allowed_cidrs) = 0 OR '127.0.0.1'::inet <<= ANY(k.allowed_cidrs::inet[])))
 SELECT FROM caller WHERE NOT is_stale;
WITH 
owner AS MATERIALIZED (
    SELECT 'key' AS kind, k.public_id AS name, k.id, k.organization_id, o.root_id, k.environment
      FROM apikeys_apikey k JOIN accounts_organization o ON o.id = k.organization_id
     WHERE k.public_id = ANY('{key_34f4f5dcf01c9c87}'::text[])
     UNION ALL
    SELECT 'organization', o.public_id, NULL, o.id, o.root_id, 'live'
      FROM accounts_organization o WHERE o.public_id = ANY('{acct_yesea27eh843znly,acct_873gijslm3t03oxv,acct_tsjm6dteg5z58q9i}'::text[]))
, 
meter AS MATERIALIZED (
    SELECT m.id, m.slug, p.id AS price_id, coalesce(p.unit_amount, 0) AS unit_amount
      FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id WHERE m.slug = ANY('{sms,voice,requests}'::text[]))

SELECT o.kind, o.name, o.id, o.organization_id, o.root_id, o.environment, r.timezone,
       (a.organization_id IS NOT NULL)::int::numeric, NULL::numeric
  FROM owner o JOIN accounts_organization r ON r.id = o.root_id
  LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
 UNION ALL
SELECT 'hold', '', id, organization_id, account_id, NULL, NULL, NULL, NULL
  FROM billing_hold WHERE id = ANY('{01a21d8609f37229b8a66045964c8c02,01a21d8609127226baa2f8fdbf738e66}'::uuid[]::uuid[])
 UNION ALL
SELECT 'meter', slug, NULL, NULL, NULL, NULL, NULL, id, unit_amount FROM meter
 UNION ALL
SELECT 'tier', m.slug, NULL, NULL, NULL, NULL, NULL, t.up_to, t.unit_amount
  FROM meter m JOIN billing_pricetier t ON t.price_id = m.price_id
 UNION ALL
SELECT 'endpoint', m.slug, NULL, NULL, NULL, e.endpoint, NULL, NULL, e.unit_amount
  FROM meter m JOIN billing_endpointprice e ON e.meter_id = m.id WHERE e.endpoint = ANY('{/dear,/a}'::text[])
 UNION ALL
SELECT 'allowance', m.slug, NULL, NULL, s.organization_id, NULL, NULL, NULL, l.included_quantity
  FROM billing_subscription s JOIN billing_planallowance l ON l.plan_id = s.plan_id JOIN meter m ON m.id = l.meter_id
 WHERE s.status = 'active' AND s.organization_id IN (SELECT root_id FROM owner);
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85fbf975d199231bf76936f351}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85fbf975d199231bf76936f351}'::uuid[]::uuid[])) = 2
 ORDER BY organization_id FOR NO KEY UPDATE;
SET LOCAL plan_cache_mode = force_custom_plan;
SELECT sent.organization, recorded.id
  FROM json_to_recordset('[{"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "organization": "01a21d85ef0372d7a4bbb52c2fd569b7", "ids": ["event-24-6d4b7d15", "event-25-3e39c874", "event-26-7d053f25", "event-27-9bcb0fd6"]}, {"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "organization": "01a21d85f29f744b80ead5ac4b9ee3bd", "ids": ["event-28-bc136271"]}, {"account": "01a21d85fbf975d199231bf76936f351", "organization": "01a21d85fbf975d199231bf76936f351", "ids": ["event-29-899e75e6"]}]'::json) AS sent(account uuid, organization uuid, ids text[])
 CROSS JOIN LATERAL (
       SELECT id FROM usage_event
        WHERE account_id = sent.account AND organization_id = sent.organization AND id = ANY(sent.ids)
          AND recorded_at >= '2026-10-23 15:00:53.436528+00:00'::timestamptz
       OFFSET 0) recorded;
SELECT account_id, meter_id, month, quantity FROM usage_volume
 WHERE (account_id, meter_id, month) IN (
       SELECT * FROM unnest('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[], '{3,3,2}'::int2[]::bigint[], '{2026-11-01,2026-10-01,2026-11-01}'::date[]::date[]));
WITH debit AS (SELECT * FROM unnest('{01a21d860a4572fdb17540cea09bf0f3,01a21d860a4572fdb17540cfa2f35ec9}'::uuid[]::uuid[], '{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85fbf975d199231bf76936f351}'::uuid[]::uuid[], '{0.142000000,0.001000000}'::numeric[]::numeric[])
                        AS debit(id, account_id, amount)),
account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance - debit.amount, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.436528+00:00'::timestamptz)
      FROM debit WHERE a.organization_id = debit.account_id
    RETURNING debit.*, a.seq, a.balance, a.updated_at)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT id, account_id, seq, 'usage', -amount, balance, 'Usage', '', '{}', updated_at FROM account
RETURNING account_id, seq, balance_after;
SET LOCAL plan_cache_mode = force_generic_plan;
WITH 
terms AS MATERIALIZED (
    SELECT t.term, t.meter, t.endpoint, o.*
      FROM json_to_recordset('[{"term": 0, "owner": 1, "meter": 1, "endpoint": "/a"}, {"term": 1, "owner": 1, "meter": 2, "endpoint": ""}, {"term": 2, "owner": 1, "meter": 1, "endpoint": ""}, {"term": 3, "owner": 2, "meter": 3, "endpoint": ""}, {"term": 4, "owner": 3, "meter": 3, "endpoint": "/dear"}, {"term": 5, "owner": 0, "meter": 1, "endpoint": ""}]'::json) AS t(term int, owner int, meter bigint, endpoint text)
      JOIN json_to_recordset('[{"owner": 0, "organization": "01a21d85fbf975d199231bf76936f351", "account": "01a21d85fbf975d199231bf76936f351", "key": null, "environment": "live", "entry_seq": 10, "closed_through": null}, {"owner": 2, "organization": "01a21d85ef0372d7a4bbb52c2fd569b7", "account": "01a21d85ef0372d7a4bbb52c2fd569b7", "key": null, "environment": "live", "entry_seq": 11, "closed_through": null}, {"owner": 3, "organization": "01a21d85f29f744b80ead5ac4b9ee3bd", "account": "01a21d85ef0372d7a4bbb52c2fd569b7", "key": null, "environment": "live", "entry_seq": 11, "closed_through": null}, {"owner": 1, "organization": "01a21d85ef0372d7a4bbb52c2fd569b7", "account": "01a21d85ef0372d7a4bbb52c2fd569b7", "key": "01a21d85f2a5702db5940430128bb05c", "environment": "live", "entry_seq": 11, "closed_through": null}]'::json) AS o(owner int, organization uuid, account uuid, key uuid,
           environment text, entry_seq bigint, closed_through timestamptz) USING (owner))
, 
events AS (
    INSERT INTO usage_event (account_id, organization_id, id, key_id, meter_id, environment, endpoint, quantity, failed,
                             credits, entry_seq, occurred_at, recorded_at, properties, hold_id, late)
    SELECT t.account, t.organization, e.id, t.key, t.meter, t.environment, t.endpoint, e.quantity, e.failed, e.credits,
           CASE WHEN e.credits > 0 THEN t.entry_seq END, moment.occurred_at, '2026-11-27 15:00:53.436528+00:00'::timestamptz,
           coalesce(e.properties::jsonb, '{}'), e.hold, coalesce(moment.occurred_at < t.closed_through, false)
      FROM unnest('{0,1,2,3,4,5}'::int[], '{"event-24-6d4b7d15","event-25-3e39c874","event-26-7d053f25","event-27-9bcb0fd6","event-28-bc136271","event-29-899e75e6"}'::text[], '{1,12,1,4,2,1}'::numeric[], '{f,f,t,f,f,f}'::bool[], '{0.001000000,0.140000000,0.001000000,0E-9,0E-9,0.001000000}'::numeric[],
                  '{1795791653436528,1795791653436528,1795791653436528,1793113253123978,1795791653436528,1795791653436528}'::bigint[],  E'{"{}","{}","{}","{\\"call\\": [1, 2.5]}","{}","{}"}'::text[], '{NULL,01a21d8609127226baa2f8fdbf738e66,01a21d8609f37229b8a66045964c8c02,NULL,NULL,NULL}'::uuid[])
           AS e(term, id, quantity, failed, credits, microseconds, properties, hold)
     CROSS JOIN LATERAL (SELECT ((timestamptz 'epoch' + (e.microseconds / 900000000) * interval '15 min') + e.microseconds % 900000000 * interval '1 microsecond') AS occurred_at) moment
      JOIN terms t USING (term))
, 
endpoint_sums AS (
    SELECT t.account AS account_id, t.organization AS organization_id, (timestamptz 'epoch' + alike.quarter * interval '15 min') AS bucket, t.meter AS meter_id,
           t.key AS key_id, t.environment, t.endpoint, sum(alike.number) AS requests,
           coalesce(sum(alike.number) FILTER (WHERE alike.failed), 0) AS failed,
           sum(alike.number * alike.quantity) AS quantity, sum(alike.number * alike.credits) AS credits
      FROM unnest('{0,1,2,3,4,5}'::int[], '{1995324,1995324,1995324,1992348,1995324,1995324}'::bigint[], '{f,f,t,f,f,f}'::bool[],
                  '{1,12,1,4,2,1}'::numeric[], '{0.001000000,0.140000000,0.001000000,0E-9,0E-9,0.001000000}'::numeric[], '{1,1,1,1,1,1}'::int[])
           AS alike(term, quarter, failed, quantity, credits, number)
      JOIN terms t USING (term) GROUP BY 1, 2, 3, 4, 5, 6, 7)
, 
meter_sums AS (
    SELECT account_id, organization_id, bucket, meter_id, key_id, environment, sum(requests) AS requests,
           sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
      FROM endpoint_sums GROUP BY 1, 2, 3, 4, 5, 6)
, 
monthly AS (
    SELECT s.account_id, s.organization_id, s.key_id, s.meter_id, s.environment, m.month, s.requests, s.quantity,
           s.credits
      FROM meter_sums s JOIN json_to_recordset('[{"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "bucket": "2026-11-27T15:00:00+00:00", "month": "2026-11-01"}, {"account": "01a21d85fbf975d199231bf76936f351", "bucket": "2026-11-27T15:00:00+00:00", "month": "2026-11-01"}, {"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "bucket": "2026-10-27T15:00:00+00:00", "month": "2026-10-01"}]'::json) AS m(account uuid, bucket timestamptz, month date)
        ON (m.account, m.bucket) = (s.account_id, s.bucket))
,

endpoint_rollup AS (
    INSERT INTO usage_endpointrollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment, endpoint,
                                           requests, failed, quantity, credits)
    SELECT * FROM endpoint_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id, endpoint
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id, endpoint) 
DO UPDATE SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
              quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits
)
, 
meter_rollup AS (
    INSERT INTO usage_usagerollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment,
                                        requests, failed, quantity, credits)
    SELECT * FROM meter_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id) 
DO UPDATE SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
              quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits
)
, 
volumes AS (
    INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
    SELECT account_id, meter_id, month, sum(quantity), sum(requests) FROM monthly
     WHERE environment = 'live' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, meter_id, month)
    DO UPDATE SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests)
, 
spending AS (
    INSERT INTO billing_spending AS s (account_id, subject, month, spent)
    SELECT m.account_id, subject, m.month, sum(m.credits)
      FROM monthly m JOIN accounts_organization o ON o.id = m.organization_id
     CROSS JOIN unnest(array_append(o.path, m.key_id)) AS subject
     WHERE m.credits > 0 AND subject IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent)

SELECT;
WITH used AS (SELECT * FROM unnest('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[], '{01a21d8609127226baa2f8fdbf738e66,01a21d8609f37229b8a66045964c8c02}'::uuid[]::uuid[], '{0.140000000,0.001000000}'::numeric[]::numeric[])
                         AS used(account_id, id, credits)),
hold AS (
    UPDATE billing_hold h
       SET captured = old.captured + used.credits,
           status = CASE old.purpose WHEN 'lease' THEN old.status ELSE 'captured' END,
           late = (old.purpose <> 'lease' AND old.status = 'expired'),
           resolved_at = CASE old.purpose WHEN 'lease' THEN old.resolved_at ELSE '2026-11-27 15:00:53.436528+00:00'::timestamptz END
      FROM used JOIN billing_hold old ON old.account_id = used.account_id AND old.id = used.id
     WHERE h.account_id = old.account_id AND h.id = old.id AND old.status IN ('open', 'expired')
    RETURNING h.account_id, CASE WHEN old.status <> 'open' THEN 0
                                 WHEN old.purpose = 'lease' THEN least(greatest(old.amount - old.captured, 0),
                                                                       used.credits)
                                 ELSE old.amount END AS freed),
freed AS (SELECT account_id, sum(freed) AS amount FROM hold GROUP BY account_id),

account AS (
    UPDATE billing_ledgeraccount a SET reserved = a.reserved - freed.amount, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.436528+00:00'::timestamptz)
      FROM freed WHERE a.organization_id = freed.account_id
    RETURNING a.organization_id)
SELECT FROM account;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('["01a21d85f29f744b80ead5ac4b9ee3bd", "01a21d85ef0372d7a4bbb52c2fd569b7", "01a21d85fbf975d199231bf76936f351"]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('["01a21d85f2a5702db5940430128bb05c"]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7", "01a21d85fbf975d199231bf76936f351"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
-- event
WITH 
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= '2026-11-27 15:00:53.460250+00:00'::timestamptz - interval '1 minute', true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY(ARRAY['\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.460250+00:00'::timestamptz)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > '2026-11-27 15:00:53.460250+00:00'::timestamptz) AND 'usage:write' = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR false)
       AND (cardinality(k.allowed_cidrs) = 0 OR '127.0.0.1'::inet <<= ANY(k.allowed_cidrs::inet[])))
 SELECT FROM caller WHERE NOT is_stale;
WITH 
owner AS MATERIALIZED (
    SELECT 'key' AS kind, k.public_id AS name, k.id, k.organization_id, o.root_id, k.environment
      FROM apikeys_apikey k JOIN accounts_organization o ON o.id = k.organization_id
     WHERE k.public_id = ANY('{key_34f4f5dcf01c9c87}'::text[])
     UNION ALL
    SELECT 'organization', o.public_id, NULL, o.id, o.root_id, 'live'
      FROM accounts_organization o WHERE o.public_id = ANY('{}'::text[]))
, 
meter AS MATERIALIZED (
    SELECT m.id, m.slug, p.id AS price_id, coalesce(p.unit_amount, 0) AS unit_amount
      FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id WHERE m.slug = ANY('{requests}'::text[]))

SELECT o.kind, o.name, o.id, o.organization_id, o.root_id, o.environment, r.timezone,
       (a.organization_id IS NOT NULL)::int::numeric, NULL::numeric
  FROM owner o JOIN accounts_organization r ON r.id = o.root_id
  LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
 UNION ALL
SELECT 'hold', '', id, organization_id, account_id, NULL, NULL, NULL, NULL
  FROM billing_hold WHERE id = ANY('{}'::uuid[])
 UNION ALL
SELECT 'meter', slug, NULL, NULL, NULL, NULL, NULL, id, unit_amount FROM meter
 UNION ALL
SELECT 'tier', m.slug, NULL, NULL, NULL, NULL, NULL, t.up_to, t.unit_amount
  FROM meter m JOIN billing_pricetier t ON t.price_id = m.price_id
 UNION ALL
SELECT 'endpoint', m.slug, NULL, NULL, NULL, e.endpoint, NULL, NULL, e.unit_amount
  FROM meter m JOIN billing_endpointprice e ON e.meter_id = m.id WHERE e.endpoint = ANY('{/a}'::text[])
 UNION ALL
SELECT 'allowance', m.slug, NULL, NULL, s.organization_id, NULL, NULL, NULL, l.included_quantity
  FROM billing_subscription s JOIN billing_planallowance l ON l.plan_id = s.plan_id JOIN meter m ON m.id = l.meter_id
 WHERE s.status = 'active' AND s.organization_id IN (SELECT root_id FROM owner);
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SET LOCAL plan_cache_mode = force_custom_plan;
SELECT sent.organization, recorded.id
  FROM json_to_recordset('[{"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "organization": "01a21d85ef0372d7a4bbb52c2fd569b7", "ids": ["event-30-e2c5489c"]}]'::json) AS sent(account uuid, organization uuid, ids text[])
 CROSS JOIN LATERAL (
       SELECT id FROM usage_event
        WHERE account_id = sent.account AND organization_id = sent.organization AND id = ANY(sent.ids)
          AND recorded_at >= '2026-10-23 15:00:53.461361+00:00'::timestamptz
       OFFSET 0) recorded;
WITH debit AS (SELECT * FROM unnest('{01a21d860a5c737b8fd22cf77f6af97d}'::uuid[]::uuid[], '{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[], '{0.001000000}'::numeric[]::numeric[])
                        AS debit(id, account_id, amount)),
account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance - debit.amount, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.461361+00:00'::timestamptz)
      FROM debit WHERE a.organization_id = debit.account_id
    RETURNING debit.*, a.seq, a.balance, a.updated_at)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT id, account_id, seq, 'usage', -amount, balance, 'Usage', '', '{}', updated_at FROM account
RETURNING account_id, seq, balance_after;
SET LOCAL plan_cache_mode = force_generic_plan;
WITH 
terms AS MATERIALIZED (
    SELECT t.term, t.meter, t.endpoint, o.*
      FROM json_to_recordset('[{"term": 0, "owner": 0, "meter": 1, "endpoint": "/a"}]'::json) AS t(term int, owner int, meter bigint, endpoint text)
      JOIN json_to_recordset('[{"owner": 0, "organization": "01a21d85ef0372d7a4bbb52c2fd569b7", "account": "01a21d85ef0372d7a4bbb52c2fd569b7", "key": "01a21d85f2a5702db5940430128bb05c", "environment": "live", "entry_seq": 12, "closed_through": null}]'::json) AS o(owner int, organization uuid, account uuid, key uuid,
           environment text, entry_seq bigint, closed_through timestamptz) USING (owner))
, 
events AS (
    INSERT INTO usage_event (account_id, organization_id, id, key_id, meter_id, environment, endpoint, quantity, failed,
                             credits, entry_seq, occurred_at, recorded_at, properties, hold_id, late)
    SELECT t.account, t.organization, e.id, t.key, t.meter, t.environment, t.endpoint, e.quantity, e.failed, e.credits,
           CASE WHEN e.credits > 0 THEN t.entry_seq END, moment.occurred_at, '2026-11-27 15:00:53.461361+00:00'::timestamptz,
           coalesce(e.properties::jsonb, '{}'), e.hold, coalesce(moment.occurred_at < t.closed_through, false)
      FROM unnest('{0}'::int[], '{"event-30-e2c5489c"}'::text[], '{1}'::numeric[], '{f}'::bool[], '{0.001000000}'::numeric[],
                  '{1795791653461361}'::bigint[], NULL::text[], '{NULL}'::uuid[])
           AS e(term, id, quantity, failed, credits, microseconds, properties, hold)
     CROSS JOIN LATERAL (SELECT ((timestamptz 'epoch' + (e.microseconds / 900000000) * interval '15 min') + e.microseconds % 900000000 * interval '1 microsecond') AS occurred_at) moment
      JOIN terms t USING (term))
, 
endpoint_sums AS (
    SELECT t.account AS account_id, t.organization AS organization_id, (timestamptz 'epoch' + alike.quarter * interval '15 min') AS bucket, t.meter AS meter_id,
           t.key AS key_id, t.environment, t.endpoint, sum(alike.number) AS requests,
           coalesce(sum(alike.number) FILTER (WHERE alike.failed), 0) AS failed,
           sum(alike.number * alike.quantity) AS quantity, sum(alike.number * alike.credits) AS credits
      FROM unnest('{0}'::int[], '{1995324}'::bigint[], '{f}'::bool[],
                  '{1}'::numeric[], '{0.001000000}'::numeric[], '{1}'::int[])
           AS alike(term, quarter, failed, quantity, credits, number)
      JOIN terms t USING (term) GROUP BY 1, 2, 3, 4, 5, 6, 7)
, 
meter_sums AS (
    SELECT account_id, organization_id, bucket, meter_id, key_id, environment, sum(requests) AS requests,
           sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
      FROM endpoint_sums GROUP BY 1, 2, 3, 4, 5, 6)
, 
monthly AS (
    SELECT s.account_id, s.organization_id, s.key_id, s.meter_id, s.environment, m.month, s.requests, s.quantity,
           s.credits
      FROM meter_sums s JOIN json_to_recordset('[{"account": "01a21d85ef0372d7a4bbb52c2fd569b7", "bucket": "2026-11-27T15:00:00+00:00", "month": "2026-11-01"}]'::json) AS m(account uuid, bucket timestamptz, month date)
        ON (m.account, m.bucket) = (s.account_id, s.bucket))
,

endpoint_rollup AS (
    INSERT INTO usage_endpointrollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment, endpoint,
                                           requests, failed, quantity, credits)
    SELECT * FROM endpoint_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id, endpoint
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id, endpoint) 
DO UPDATE SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
              quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits
)
, 
meter_rollup AS (
    INSERT INTO usage_usagerollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment,
                                        requests, failed, quantity, credits)
    SELECT * FROM meter_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id) 
DO UPDATE SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
              quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits
)
, 
volumes AS (
    INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
    SELECT account_id, meter_id, month, sum(quantity), sum(requests) FROM monthly
     WHERE environment = 'live' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, meter_id, month)
    DO UPDATE SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests)
, 
spending AS (
    INSERT INTO billing_spending AS s (account_id, subject, month, spent)
    SELECT m.account_id, subject, m.month, sum(m.credits)
      FROM monthly m JOIN accounts_organization o ON o.id = m.organization_id
     CROSS JOIN unnest(array_append(o.path, m.key_id)) AS subject
     WHERE m.credits > 0 AND subject IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent)

SELECT;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('["01a21d85f2a5702db5940430128bb05c"]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
-- void of sms
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.477727+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x64";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "usage_event"."account_id", "usage_event"."organization_id", "usage_event"."id", "usage_event"."key_id", "usage_event"."meter_id", "usage_event"."environment", "usage_event"."endpoint", "usage_event"."quantity", "usage_event"."failed", "usage_event"."credits", "usage_event"."entry_seq", "usage_event"."occurred_at", "usage_event"."recorded_at", "usage_event"."properties", "usage_event"."hold_id", "usage_event"."late" FROM "usage_event" WHERE ("usage_event"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."id" = 'event-25-3e39c874') ORDER BY "usage_event"."recorded_at" DESC LIMIT 1;
SELECT "usage_eventvoid"."account_id", "usage_eventvoid"."organization_id", "usage_eventvoid"."event_id", "usage_eventvoid"."recorded_at", "usage_eventvoid"."entry_seq", "usage_eventvoid"."reason", "usage_eventvoid"."actor", "usage_eventvoid"."created_at" FROM "usage_eventvoid" WHERE ("usage_eventvoid"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_eventvoid"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_eventvoid"."event_id" = 'event-25-3e39c874' AND "usage_eventvoid"."recorded_at" = '2026-11-27 15:00:53.436528+00:00'::timestamptz) ORDER BY "usage_eventvoid"."account_id" ASC, "usage_eventvoid"."organization_id" ASC, "usage_eventvoid"."event_id" ASC, "usage_eventvoid"."recorded_at" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x65";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before;
WITH account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance + 0.140000000, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.495710+00:00'::timestamptz)
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND (true OR a.due_at IS NULL OR a.due_at > '2026-11-27 15:00:53.495710+00:00'::timestamptz)
       AND (NOT false OR a.balance - a.reserved + a.credit_limit + 0.140000000 >= 0)
    RETURNING a.organization_id AS account_id, a.seq, 0.140000000::numeric AS amount, a.balance, a.updated_at)

INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT '01a21d860a787533807a9c8a4dc842c1'::uuid, account_id, seq, 'adjustment', amount, balance, 'Not delivered', 'event-25-3e39c874', '{"voided_event": "event-25-3e39c874"}'::jsonb::jsonb,
       NULL, NULL::bigint, 'key_b179ea65c92eb97c', updated_at
  FROM account
RETURNING account_id, seq, balance_after;
INSERT INTO "billing_grant" ("id", "account_id", "entry_seq", "category", "priority", "amount", "remaining", "expires_at", "kept", "created_at") VALUES ('01a21d860a7a765999f5c761d0271fa8'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 13, 'paid', 50, 0.140000000, 0.140000000, NULL, false, '2026-11-27 15:00:53.495710+00:00'::timestamptz) RETURNING "billing_grant"."kept";
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.due_at IS DISTINCT FROM earliest.due_at;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('[]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x65";
WITH event AS (
    SELECT e.*, date_bin('15 min', occurred_at, timestamptz 'epoch') AS bucket FROM usage_event e
     WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = 'event-25-3e39c874'
       AND recorded_at = '2026-11-27 15:00:53.436528+00:00'::timestamptz),
void AS (
    INSERT INTO usage_eventvoid (account_id, organization_id, event_id, recorded_at, entry_seq, reason, actor,
                                 created_at)
    SELECT account_id, organization_id, id, recorded_at, 13::bigint, 'Not delivered', 'key_b179ea65c92eb97c', '2026-11-27 15:00:53.487189+00:00'::timestamptz
      FROM event
    RETURNING event_id),
by_endpoint AS (
    UPDATE usage_endpointrollup r
       SET requests = r.requests - 1, failed = r.failed - e.failed::int, quantity = r.quantity - e.quantity,
           credits = r.credits - e.credits
      FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id, r.endpoint)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id, e.endpoint)
       AND r.key_id IS NOT DISTINCT FROM e.key_id),
by_meter AS (
    UPDATE usage_usagerollup r
       SET requests = r.requests - 1, failed = r.failed - e.failed::int, quantity = r.quantity - e.quantity,
           credits = r.credits - e.credits
      FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id)
       AND r.key_id IS NOT DISTINCT FROM e.key_id),
by_volume AS (
    INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
    SELECT account_id, meter_id, '2026-11-01'::date, -quantity, -1 FROM event WHERE environment = 'live'
    ON CONFLICT (account_id, meter_id, month) DO UPDATE
       SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests)
SELECT event_id FROM void;
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, one.subject, '2026-11-01'::date, -0.140000000::numeric
  FROM unnest((SELECT path || '01a21d85f2a5702db5940430128bb05c'::uuid::uuid FROM accounts_organization WHERE id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)) AS one(subject)
 WHERE one.subject IN ('01a21d85f2a5702db5940430128bb05c'::uuid::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid)
    OR EXISTS (SELECT FROM billing_spending b WHERE (b.account_id, b.subject, b.month)
                                                  = ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, one.subject, '2026-11-01'::date) AND b.spent >= 0.140000000)
 ORDER BY one.subject
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('["01a21d85f2a5702db5940430128bb05c"]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x64";
-- void of voice
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.510839+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x66";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "usage_event"."account_id", "usage_event"."organization_id", "usage_event"."id", "usage_event"."key_id", "usage_event"."meter_id", "usage_event"."environment", "usage_event"."endpoint", "usage_event"."quantity", "usage_event"."failed", "usage_event"."credits", "usage_event"."entry_seq", "usage_event"."occurred_at", "usage_event"."recorded_at", "usage_event"."properties", "usage_event"."hold_id", "usage_event"."late" FROM "usage_event" WHERE ("usage_event"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."id" = 'event-27-9bcb0fd6') ORDER BY "usage_event"."recorded_at" DESC LIMIT 1;
SELECT "usage_eventvoid"."account_id", "usage_eventvoid"."organization_id", "usage_eventvoid"."event_id", "usage_eventvoid"."recorded_at", "usage_eventvoid"."entry_seq", "usage_eventvoid"."reason", "usage_eventvoid"."actor", "usage_eventvoid"."created_at" FROM "usage_eventvoid" WHERE ("usage_eventvoid"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_eventvoid"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_eventvoid"."event_id" = 'event-27-9bcb0fd6' AND "usage_eventvoid"."recorded_at" = '2026-11-27 15:00:53.436528+00:00'::timestamptz) ORDER BY "usage_eventvoid"."account_id" ASC, "usage_eventvoid"."organization_id" ASC, "usage_eventvoid"."event_id" ASC, "usage_eventvoid"."recorded_at" ASC LIMIT 1;
WITH event AS (
    SELECT e.*, date_bin('15 min', occurred_at, timestamptz 'epoch') AS bucket FROM usage_event e
     WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = 'event-27-9bcb0fd6'
       AND recorded_at = '2026-11-27 15:00:53.436528+00:00'::timestamptz),
void AS (
    INSERT INTO usage_eventvoid (account_id, organization_id, event_id, recorded_at, entry_seq, reason, actor,
                                 created_at)
    SELECT account_id, organization_id, id, recorded_at, NULL::bigint, 'Not delivered', 'key_b179ea65c92eb97c', '2026-11-27 15:00:53.534405+00:00'::timestamptz
      FROM event
    RETURNING event_id),
by_endpoint AS (
    UPDATE usage_endpointrollup r
       SET requests = r.requests - 1, failed = r.failed - e.failed::int, quantity = r.quantity - e.quantity,
           credits = r.credits - e.credits
      FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id, r.endpoint)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id, e.endpoint)
       AND r.key_id IS NOT DISTINCT FROM e.key_id),
by_meter AS (
    UPDATE usage_usagerollup r
       SET requests = r.requests - 1, failed = r.failed - e.failed::int, quantity = r.quantity - e.quantity,
           credits = r.credits - e.credits
      FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id)
       AND r.key_id IS NOT DISTINCT FROM e.key_id),
by_volume AS (
    INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
    SELECT account_id, meter_id, '2026-10-01'::date, -quantity, -1 FROM event WHERE environment = 'live'
    ON CONFLICT (account_id, meter_id, month) DO UPDATE
       SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests)
SELECT event_id FROM void;
RELEASE SAVEPOINT "s140381452569472_x66";
-- return
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.555646+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."purpose" = 'lease' AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) ORDER BY "billing_hold"."id" DESC LIMIT 1;
SAVEPOINT "s140381452569472_x67";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH 
old AS (
    SELECT account_id, status, greatest(amount - captured, 0) AS unspent,
           CASE status WHEN 'open' THEN greatest(amount - captured, 0) ELSE 0 END AS held
      FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND id = '01a21d8609f37229b8a66045964c8c02'::uuid AND status IN ('open', 'expired')),
freed AS (SELECT account_id, held AS amount FROM old),

account AS (
    UPDATE billing_ledgeraccount a SET reserved = a.reserved - freed.amount, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.574405+00:00'::timestamptz)
      FROM freed WHERE a.organization_id = freed.account_id
    RETURNING a.organization_id)
UPDATE billing_hold h SET status = 'released', resolved_at = '2026-11-27 15:00:53.574405+00:00'::timestamptz
  FROM account WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.id = '01a21d8609f37229b8a66045964c8c02'::uuid
RETURNING h.id;
SELECT "billing_hold"."id", "billing_hold"."account_id", "billing_hold"."organization_id", "billing_hold"."key_id", "billing_hold"."purpose", "billing_hold"."by_platform", "billing_hold"."amount", "billing_hold"."captured", "billing_hold"."status", "billing_hold"."reference", "billing_hold"."metadata", "billing_hold"."created_at", "billing_hold"."expires_at", "billing_hold"."spend_until", "billing_hold"."resolved_at", "billing_hold"."late", "billing_hold"."entry_seq", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "billing_hold" INNER JOIN "accounts_organization" ON ("billing_hold"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("billing_hold"."key_id" = "apikeys_apikey"."id") WHERE ("billing_hold"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_hold"."id" = '01a21d8609f37229b8a66045964c8c02'::uuid) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x67";
-- verify
WITH 
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= '2026-11-27 15:00:53.590426+00:00'::timestamptz - interval '1 minute', true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY(ARRAY['\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.590426+00:00'::timestamptz)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > '2026-11-27 15:00:53.590426+00:00'::timestamptz) AND 'keys:read' = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR false)
       AND (cardinality(k.allowed_cidrs) = 0 OR '127.0.0.1'::inet <<= ANY(k.allowed_cidrs::inet[])))
,
asked AS MATERIALIZED (
    SELECT k.id, k.public_id, k.organization_id, k.environment, k.permissions, k.expires_at, k.disabled_at,
           k.revoked_at, k.allowed_cidrs, k.rate_limit, k.rate_limit_window_seconds AS window_seconds,
           coalesce(k.last_used_at <= '2026-11-27 15:00:53.590426+00:00'::timestamptz - interval '1 minute', true) AS is_stale,
           o.public_id AS organization, o.root_id, o.path, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available, coalesce(a.due_at <= '2026-11-27 15:00:53.590426+00:00'::timestamptz, false) AS is_due,
           (SELECT array_agg(m.role)::text[] FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
             WHERE k.permissions && ARRAY['account:read', 'account:write', 'audit:read', 'billing:read', 'billing:write', 'credits:read', 'credits:write', 'keys:read', 'keys:write', 'members:read', 'members:write', 'security:read', 'security:write', 'usage:read', 'usage:write', 'webhooks:read', 'webhooks:write']::varchar[] AND u.id = k.created_by_id AND u.is_active
               AND m.organization_id = ANY(o.path)) AS roles
      FROM apikeys_apikeysecret s
      JOIN apikeys_apikey k ON k.id = s.key_id
      JOIN accounts_organization o ON o.id = k.organization_id
     CROSS JOIN LATERAL (SELECT bool_and(n.status = 'active') AS is_operational,
                                bool_or(n.monthly_budget IS NOT NULL) AS has_budget,
                                max(n.timezone) FILTER (WHERE n.id = o.root_id) AS timezone
                           FROM accounts_organization n WHERE n.id = ANY(o.path)) tree
      LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
     WHERE s.digest = ANY(ARRAY['\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.590426+00:00'::timestamptz)
       AND EXISTS (SELECT FROM caller))
,
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * 1::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = 'requests'::text) priced)
,
judged AS (
    SELECT asked.*, CASE WHEN asked.environment = 'test' THEN 0 ELSE coalesce(meter.charge, 0) END AS cost,
           CASE WHEN asked.revoked_at IS NOT NULL THEN 'REVOKED'
                WHEN asked.expires_at <= '2026-11-27 15:00:53.590426+00:00'::timestamptz THEN 'EXPIRED'
                WHEN asked.disabled_at IS NOT NULL THEN 'DISABLED'
                WHEN cardinality(asked.allowed_cidrs) > 0
                     AND NOT coalesce(NULL::inet <<= ANY(asked.allowed_cidrs::inet[]), false) THEN 'IP_NOT_ALLOWED'
                WHEN NULL::text IS NOT NULL
                     AND NOT (NULL = ANY(asked.permissions)
                              AND coalesce(NULL::text[] && asked.roles, NULL::text[] IS NULL))
                     THEN 'INSUFFICIENT_PERMISSIONS'
                WHEN NOT asked.is_operational THEN 'ORGANIZATION_SUSPENDED'
                WHEN asked.is_due THEN 'DUE'
                WHEN meter.id IS NULL AND 'requests'::text IS NOT NULL THEN 'NO_METER'
                
                WHEN asked.environment <> 'test'
                     AND (EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                          OR EXISTS (SELECT FROM billing_subscription s
                                       JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                      WHERE s.organization_id = asked.root_id AND s.status = 'active'
                                        AND l.meter_id = meter.id)) THEN 'TIERED' END AS stop
      FROM asked LEFT JOIN meter ON true)
,
limited AS MATERIALIZED (
    SELECT 'key:' || id AS subject, rate_limit, window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL AND NOT (has_budget AND cost > 0))
,
counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.590426::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.590426::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.590426::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.590426::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)
,
weighed AS MATERIALIZED (
    SELECT judged.*, counted.subject IS NOT NULL AS is_counted, coalesce(counted.moments, x.moments) AS moments,
           coalesce(counted.calls, x.calls) AS calls,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN limited.subject IS NOT NULL AND counted.subject IS NULL THEN 'RATE_LIMITED'
                WHEN has_budget AND cost > 0 THEN 'BUDGETED'
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN limited ON true LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL
)
,
touched AS (
    UPDATE apikeys_apikey used SET last_used_at = '2026-11-27 15:00:53.590426+00:00'::timestamptz
      FROM (SELECT k.id FROM apikeys_apikey k
             WHERE k.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND coalesce(k.last_used_at <= '2026-11-27 15:00:53.590426+00:00'::timestamptz - interval '1 minute', true) FOR NO KEY UPDATE SKIP LOCKED) k
     WHERE used.id = k.id)

SELECT w.code, meter.id, w.public_id, w.organization, w.permissions, w.roles, w.expires_at, w.cost,
       coalesce(NULL, w.available), NULL::uuid, w.rate_limit, w.window_seconds, w.is_counted, w.moments, w.calls,
       CASE WHEN w.code IN ('DUE', 'TIERED', 'BUDGETED') THEN w.root_id END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.timezone END
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true;
-- verify with a hold
SELECT FROM billing_ledgeraccount WHERE organization_id IN (
       SELECT o.root_id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
         JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY(ARRAY['\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea::bytea]))
   FOR NO KEY UPDATE;
WITH 
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY(ARRAY['\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz) AND 'keys:read' = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR false)
       AND (cardinality(k.allowed_cidrs) = 0 OR '127.0.0.1'::inet <<= ANY(k.allowed_cidrs::inet[])))
,
asked AS MATERIALIZED (
    SELECT k.id, k.public_id, k.organization_id, k.environment, k.permissions, k.expires_at, k.disabled_at,
           k.revoked_at, k.allowed_cidrs, k.rate_limit, k.rate_limit_window_seconds AS window_seconds,
           coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) AS is_stale,
           o.public_id AS organization, o.root_id, o.path, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available, coalesce(a.due_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz, false) AS is_due,
           (SELECT array_agg(m.role)::text[] FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
             WHERE k.permissions && ARRAY['account:read', 'account:write', 'audit:read', 'billing:read', 'billing:write', 'credits:read', 'credits:write', 'keys:read', 'keys:write', 'members:read', 'members:write', 'security:read', 'security:write', 'usage:read', 'usage:write', 'webhooks:read', 'webhooks:write']::varchar[] AND u.id = k.created_by_id AND u.is_active
               AND m.organization_id = ANY(o.path)) AS roles
      FROM apikeys_apikeysecret s
      JOIN apikeys_apikey k ON k.id = s.key_id
      JOIN accounts_organization o ON o.id = k.organization_id
     CROSS JOIN LATERAL (SELECT bool_and(n.status = 'active') AS is_operational,
                                bool_or(n.monthly_budget IS NOT NULL) AS has_budget,
                                max(n.timezone) FILTER (WHERE n.id = o.root_id) AS timezone
                           FROM accounts_organization n WHERE n.id = ANY(o.path)) tree
      LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
     WHERE s.digest = ANY(ARRAY['\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz)
       AND EXISTS (SELECT FROM caller))
,
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * 1::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = 'sms'::text) priced)
,
judged AS (
    SELECT asked.*, CASE WHEN asked.environment = 'test' THEN 0 ELSE coalesce(meter.charge, 0) END AS cost,
           CASE WHEN asked.revoked_at IS NOT NULL THEN 'REVOKED'
                WHEN asked.expires_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz THEN 'EXPIRED'
                WHEN asked.disabled_at IS NOT NULL THEN 'DISABLED'
                WHEN cardinality(asked.allowed_cidrs) > 0
                     AND NOT coalesce(NULL::inet <<= ANY(asked.allowed_cidrs::inet[]), false) THEN 'IP_NOT_ALLOWED'
                WHEN NULL::text IS NOT NULL
                     AND NOT (NULL = ANY(asked.permissions)
                              AND coalesce(NULL::text[] && asked.roles, NULL::text[] IS NULL))
                     THEN 'INSUFFICIENT_PERMISSIONS'
                WHEN NOT asked.is_operational THEN 'ORGANIZATION_SUSPENDED'
                WHEN asked.is_due THEN 'DUE'
                WHEN meter.id IS NULL AND 'sms'::text IS NOT NULL THEN 'NO_METER'
                
                WHEN asked.environment <> 'test'
                     AND (EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                          OR EXISTS (SELECT FROM billing_subscription s
                                       JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                      WHERE s.organization_id = asked.root_id AND s.status = 'active'
                                        AND l.meter_id = meter.id)) THEN 'TIERED' END AS stop
      FROM asked LEFT JOIN meter ON true)
,
limited AS MATERIALIZED (
    SELECT 'key:' || id AS subject, rate_limit, window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL AND NOT (has_budget AND cost > 0))
,
counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.600565::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.600565::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.600565::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.600565::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)
,
weighed AS MATERIALIZED (
    SELECT judged.*, counted.subject IS NOT NULL AS is_counted, coalesce(counted.moments, x.moments) AS moments,
           coalesce(counted.calls, x.calls) AS calls,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN limited.subject IS NOT NULL AND counted.subject IS NULL THEN 'RATE_LIMITED'
                WHEN has_budget AND cost > 0 THEN 'BUDGETED'
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN limited ON true LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL
)
,
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
,

account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:01:53.600565+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.600565+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d860ae07473a6017ebc758c6b8e'::uuid, account_id, organization_id, key_id, 'hold', granted, 0, 'open', '',
           '{}', '2026-11-27 15:00:53.600565+00:00'::timestamptz, '2026-11-27 15:01:53.600565+00:00'::timestamptz, NULL::timestamptz,
           true
      FROM account
    RETURNING id, amount)
,
touched AS (
    UPDATE apikeys_apikey used SET last_used_at = '2026-11-27 15:00:53.600565+00:00'::timestamptz
      FROM (SELECT k.id FROM apikeys_apikey k
             WHERE k.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) FOR NO KEY UPDATE SKIP LOCKED) k
     WHERE used.id = k.id)

SELECT w.code, meter.id, w.public_id, w.organization, w.permissions, w.roles, w.expires_at, w.cost,
       coalesce((SELECT available FROM account), w.available), (SELECT id FROM hold), w.rate_limit, w.window_seconds, w.is_counted, w.moments, w.calls,
       CASE WHEN w.code IN ('DUE', 'TIERED', 'BUDGETED') THEN w.root_id END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.timezone END
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true;
SELECT coalesce(p.unit_amount, 0), t.up_to, t.unit_amount,
       coalesce((SELECT l.included_quantity FROM billing_subscription s
                   JOIN billing_planallowance l ON l.plan_id = s.plan_id
                  WHERE s.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.status = 'active' AND l.meter_id = m.id LIMIT 1), 0),
       coalesce((SELECT v.quantity FROM usage_volume v
                  WHERE v.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND v.meter_id = m.id AND v.month = '2026-11-01'::date), 0)
  FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id LEFT JOIN billing_pricetier t ON t.price_id = p.id
 WHERE m.id = 2 ORDER BY t.up_to NULLS LAST;
SELECT FROM billing_ledgeraccount WHERE organization_id IN (
       SELECT o.root_id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
         JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY(ARRAY['\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea::bytea]))
   FOR NO KEY UPDATE;
WITH 
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY(ARRAY['\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz) AND 'keys:read' = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR false)
       AND (cardinality(k.allowed_cidrs) = 0 OR '127.0.0.1'::inet <<= ANY(k.allowed_cidrs::inet[])))
,
asked AS MATERIALIZED (
    SELECT k.id, k.public_id, k.organization_id, k.environment, k.permissions, k.expires_at, k.disabled_at,
           k.revoked_at, k.allowed_cidrs, k.rate_limit, k.rate_limit_window_seconds AS window_seconds,
           coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) AS is_stale,
           o.public_id AS organization, o.root_id, o.path, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available, coalesce(a.due_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz, false) AS is_due,
           (SELECT array_agg(m.role)::text[] FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
             WHERE k.permissions && ARRAY['account:read', 'account:write', 'audit:read', 'billing:read', 'billing:write', 'credits:read', 'credits:write', 'keys:read', 'keys:write', 'members:read', 'members:write', 'security:read', 'security:write', 'usage:read', 'usage:write', 'webhooks:read', 'webhooks:write']::varchar[] AND u.id = k.created_by_id AND u.is_active
               AND m.organization_id = ANY(o.path)) AS roles
      FROM apikeys_apikeysecret s
      JOIN apikeys_apikey k ON k.id = s.key_id
      JOIN accounts_organization o ON o.id = k.organization_id
     CROSS JOIN LATERAL (SELECT bool_and(n.status = 'active') AS is_operational,
                                bool_or(n.monthly_budget IS NOT NULL) AS has_budget,
                                max(n.timezone) FILTER (WHERE n.id = o.root_id) AS timezone
                           FROM accounts_organization n WHERE n.id = ANY(o.path)) tree
      LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
     WHERE s.digest = ANY(ARRAY['\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea::bytea]) AND (s.expires_at IS NULL OR s.expires_at > '2026-11-27 15:00:53.600565+00:00'::timestamptz)
       AND EXISTS (SELECT FROM caller))
,
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * 1::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = 'sms'::text) priced)
,
judged AS (
    SELECT asked.*, CASE WHEN asked.environment = 'test' THEN 0 ELSE coalesce(0E-9::numeric, 0) END AS cost,
           CASE WHEN asked.revoked_at IS NOT NULL THEN 'REVOKED'
                WHEN asked.expires_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz THEN 'EXPIRED'
                WHEN asked.disabled_at IS NOT NULL THEN 'DISABLED'
                WHEN cardinality(asked.allowed_cidrs) > 0
                     AND NOT coalesce(NULL::inet <<= ANY(asked.allowed_cidrs::inet[]), false) THEN 'IP_NOT_ALLOWED'
                WHEN NULL::text IS NOT NULL
                     AND NOT (NULL = ANY(asked.permissions)
                              AND coalesce(NULL::text[] && asked.roles, NULL::text[] IS NULL))
                     THEN 'INSUFFICIENT_PERMISSIONS'
                WHEN NOT asked.is_operational THEN 'ORGANIZATION_SUSPENDED'
                WHEN asked.is_due THEN 'DUE'
                WHEN meter.id IS NULL AND 'sms'::text IS NOT NULL THEN 'NO_METER'
                 END AS stop
      FROM asked LEFT JOIN meter ON true)
,
limited AS MATERIALIZED (
    SELECT 'key:' || id AS subject, rate_limit, window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL AND NOT (has_budget AND cost > 0))
,
counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.600565::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.600565::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.600565::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.600565::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)
,
weighed AS MATERIALIZED (
    SELECT judged.*, counted.subject IS NOT NULL AS is_counted, coalesce(counted.moments, x.moments) AS moments,
           coalesce(counted.calls, x.calls) AS calls,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN limited.subject IS NOT NULL AND counted.subject IS NULL THEN 'RATE_LIMITED'
                WHEN has_budget AND cost > 0 THEN 'BUDGETED'
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN limited ON true LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL
)
,
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
,

account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, '2026-11-27 15:01:53.600565+00:00'::timestamptz), updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.600565+00:00'::timestamptz)
      FROM room WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT '01a21d860aee70d9b8df3ea4da4b4e41'::uuid, account_id, organization_id, key_id, 'hold', granted, 0, 'open', '',
           '{}', '2026-11-27 15:00:53.600565+00:00'::timestamptz, '2026-11-27 15:01:53.600565+00:00'::timestamptz, NULL::timestamptz,
           true
      FROM account
    RETURNING id, amount)
,
touched AS (
    UPDATE apikeys_apikey used SET last_used_at = '2026-11-27 15:00:53.600565+00:00'::timestamptz
      FROM (SELECT k.id FROM apikeys_apikey k
             WHERE k.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND coalesce(k.last_used_at <= '2026-11-27 15:00:53.600565+00:00'::timestamptz - interval '1 minute', true) FOR NO KEY UPDATE SKIP LOCKED) k
     WHERE used.id = k.id)

SELECT w.code, meter.id, w.public_id, w.organization, w.permissions, w.roles, w.expires_at, w.cost,
       coalesce((SELECT available FROM account), w.available), (SELECT id FROM hold), w.rate_limit, w.window_seconds, w.is_counted, w.moments, w.calls,
       CASE WHEN w.code IN ('DUE', 'TIERED', 'BUDGETED') THEN w.root_id END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.timezone END
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true;
-- purchase
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.628623+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.6442313::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.6442313::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.6442313::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.6442313::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT pg_try_advisory_xact_lock(2477471687665148179);
SELECT "accounts_idempotencyrecord"."account_id", "accounts_idempotencyrecord"."organization_id", "accounts_idempotencyrecord"."credential", "accounts_idempotencyrecord"."key", "accounts_idempotencyrecord"."fingerprint", "accounts_idempotencyrecord"."resource", "accounts_idempotencyrecord"."status", "accounts_idempotencyrecord"."body", "accounts_idempotencyrecord"."created_at" FROM "accounts_idempotencyrecord" WHERE ("accounts_idempotencyrecord"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "accounts_idempotencyrecord"."credential" = 'key_34f4f5dcf01c9c87' AND "accounts_idempotencyrecord"."key" = 'purchase-31-bb2b2791' AND "accounts_idempotencyrecord"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) ORDER BY "accounts_idempotencyrecord"."account_id" ASC, "accounts_idempotencyrecord"."organization_id" ASC, "accounts_idempotencyrecord"."credential" ASC, "accounts_idempotencyrecord"."key" ASC LIMIT 1;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x68";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "billing_paymentmethod"."id", "billing_paymentmethod"."organization_id", "billing_paymentmethod"."gateway", "billing_paymentmethod"."gateway_token", "billing_paymentmethod"."brand", "billing_paymentmethod"."last4", "billing_paymentmethod"."exp_month", "billing_paymentmethod"."exp_year", "billing_paymentmethod"."is_default", "billing_paymentmethod"."created_at", "billing_paymentmethod"."removed_at" FROM "billing_paymentmethod" WHERE ("billing_paymentmethod"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_paymentmethod"."removed_at" IS NULL AND "billing_paymentmethod"."is_default") ORDER BY "billing_paymentmethod"."id" ASC LIMIT 1;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
UPDATE "billing_billingaccount" SET "currency" = 'USD' WHERE ("billing_billingaccount"."currency" = '' AND "billing_billingaccount"."id" = '01a21d85ef0c77b693d5e66c80a990b0'::uuid);
SELECT "billing_billingaccount"."id", "billing_billingaccount"."currency" FROM "billing_billingaccount" WHERE "billing_billingaccount"."id" = '01a21d85ef0c77b693d5e66c80a990b0'::uuid LIMIT 21;
SELECT "billing_payment"."id", "billing_payment"."organization_id", "billing_payment"."method_id", "billing_payment"."amount", "billing_payment"."currency", "billing_payment"."status", "billing_payment"."failure_code", "billing_payment"."next_action_url", "billing_payment"."gateway_reference", "billing_payment"."created_by", "billing_payment"."created_at", "billing_payment"."settled_at" FROM "billing_payment" WHERE "billing_payment"."id" = '01a21d860b3074b9bd5707b8cd3d92d1'::uuid LIMIT 21;
SAVEPOINT "s140381452569472_x69";
INSERT INTO "billing_payment" ("id", "organization_id", "method_id", "amount", "currency", "status", "failure_code", "next_action_url", "gateway_reference", "created_by", "created_at", "settled_at") VALUES ('01a21d860b3074b9bd5707b8cd3d92d1'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef19719ab8b77205bfd6aa66'::uuid, 10.500000000, 'USD', 'pending', '', '', '', 'key_34f4f5dcf01c9c87', '2026-11-27 15:00:53.686447+00:00'::timestamptz, NULL);
RELEASE SAVEPOINT "s140381452569472_x69";
RELEASE SAVEPOINT "s140381452569472_x68";
INSERT INTO "accounts_idempotencyrecord" ("account_id", "organization_id", "credential", "key", "fingerprint", "resource", "status", "body", "created_at") VALUES ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 'key_34f4f5dcf01c9c87', 'purchase-31-bb2b2791', '\xa7e86e78def91e9f544c3753a36f86d5e63165684467cb61ffa0951b06b3a3ad'::bytea, '01a21d860b3074b9bd5707b8cd3d92d1', NULL, '', '2026-11-27 15:00:53.691005+00:00'::timestamptz);
SELECT "billing_payment"."id", "billing_payment"."organization_id", "billing_payment"."method_id", "billing_payment"."amount", "billing_payment"."currency", "billing_payment"."status", "billing_payment"."failure_code", "billing_payment"."next_action_url", "billing_payment"."gateway_reference", "billing_payment"."created_by", "billing_payment"."created_at", "billing_payment"."settled_at", "billing_paymentmethod"."id", "billing_paymentmethod"."organization_id", "billing_paymentmethod"."gateway", "billing_paymentmethod"."gateway_token", "billing_paymentmethod"."brand", "billing_paymentmethod"."last4", "billing_paymentmethod"."exp_month", "billing_paymentmethod"."exp_year", "billing_paymentmethod"."is_default", "billing_paymentmethod"."created_at", "billing_paymentmethod"."removed_at" FROM "billing_payment" INNER JOIN "billing_paymentmethod" ON ("billing_payment"."method_id" = "billing_paymentmethod"."id") WHERE "billing_payment"."id" = '01a21d860b3074b9bd5707b8cd3d92d1'::uuid LIMIT 21;
SELECT "billing_payment"."organization_id" AS "organization_id" FROM "billing_payment" WHERE "billing_payment"."id" = '01a21d860b3074b9bd5707b8cd3d92d1'::uuid;
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "billing_payment"."id", "billing_payment"."organization_id", "billing_payment"."method_id", "billing_payment"."amount", "billing_payment"."currency", "billing_payment"."status", "billing_payment"."failure_code", "billing_payment"."next_action_url", "billing_payment"."gateway_reference", "billing_payment"."created_by", "billing_payment"."created_at", "billing_payment"."settled_at" FROM "billing_payment" WHERE "billing_payment"."id" = '01a21d860b3074b9bd5707b8cd3d92d1'::uuid LIMIT 21;
UPDATE "billing_payment" SET "organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, "method_id" = '01a21d85ef19719ab8b77205bfd6aa66'::uuid, "amount" = 10.500000000, "currency" = 'USD', "status" = 'succeeded', "failure_code" = '', "next_action_url" = '', "gateway_reference" = 'sandbox_01a21d860b3074b9bd5707b8cd3d92d1', "created_by" = 'key_34f4f5dcf01c9c87', "created_at" = '2026-11-27 15:00:53.686447+00:00'::timestamptz, "settled_at" = '2026-11-27 15:00:53.701602+00:00'::timestamptz WHERE "billing_payment"."id" = '01a21d860b3074b9bd5707b8cd3d92d1'::uuid;
SAVEPOINT "s140381452569472_x70";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."idempotency_key" = 'payment:01a21d860b3074b9bd5707b8cd3d92d1') ORDER BY "billing_ledgerentry"."id" ASC LIMIT 1;
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before;
WITH account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance + 10.500000000, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.707025+00:00'::timestamptz)
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND (true OR a.due_at IS NULL OR a.due_at > '2026-11-27 15:00:53.707025+00:00'::timestamptz)
       AND (NOT false OR a.balance - a.reserved + a.credit_limit + 10.500000000 >= 0)
    RETURNING a.organization_id AS account_id, a.seq, 10.500000000::numeric AS amount, a.balance, a.updated_at)

INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT '01a21d860b4e7561992934db167e755c'::uuid, account_id, seq, 'purchase', amount, balance, 'Credits purchased', 'pay_01a21d860b3074b9bd5707b8cd3d92d1', '{}'::jsonb,
       'payment:01a21d860b3074b9bd5707b8cd3d92d1', NULL::bigint, '', updated_at
  FROM account
RETURNING account_id, seq, balance_after;
INSERT INTO "billing_grant" ("id", "account_id", "entry_seq", "category", "priority", "amount", "remaining", "expires_at", "kept", "created_at") VALUES ('01a21d860b4f76cba6a29fa2f717610d'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 14, 'paid', 50, 10.500000000, 10.500000000, NULL, false, '2026-11-27 15:00:53.707025+00:00'::timestamptz) RETURNING "billing_grant"."kept";
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.due_at IS DISTINCT FROM earliest.due_at;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('[]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x70";
UPDATE "accounts_idempotencyrecord" SET "status" = 201, "body" = '{"id": "pay_01a21d860b3074b9bd5707b8cd3d92d1", "status": "succeeded", "amount": 10.5, "currency": "USD", "created_at": "2026-11-27T15:00:53.686447Z"}' WHERE ("accounts_idempotencyrecord"."account_id", "accounts_idempotencyrecord"."organization_id", "accounts_idempotencyrecord"."credential", "accounts_idempotencyrecord"."key") = ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 'key_34f4f5dcf01c9c87', 'purchase-31-bb2b2791');
-- adjustment
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.725271+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x71";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before;
WITH account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance + 5, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.751606+00:00'::timestamptz)
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND (true OR a.due_at IS NULL OR a.due_at > '2026-11-27 15:00:53.751606+00:00'::timestamptz)
       AND (NOT false OR a.balance - a.reserved + a.credit_limit + 5 >= 0)
    RETURNING a.organization_id AS account_id, a.seq, 5::numeric AS amount, a.balance, a.updated_at)

INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT '01a21d860b787184856ea9f1592aeaed'::uuid, account_id, seq, 'adjustment', amount, balance, 'Not delivered', '', '{}'::jsonb,
       NULL, NULL::bigint, 'key_b179ea65c92eb97c', updated_at
  FROM account
RETURNING account_id, seq, balance_after;
INSERT INTO "billing_grant" ("id", "account_id", "entry_seq", "category", "priority", "amount", "remaining", "expires_at", "kept", "created_at") VALUES ('01a21d860b7e716e989cf3f227ad0b37'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 15, 'paid', 50, 5, 5, NULL, false, '2026-11-27 15:00:53.751606+00:00'::timestamptz) RETURNING "billing_grant"."kept";
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.due_at IS DISTINCT FROM earliest.due_at;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('[]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x71";
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."seq" = 15) LIMIT 21;
-- reversal
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.784508+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\xd0c59708e8d74a0335bd71a484569eaa64e9f53233b2351d186096bdf7660708'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."public_id" = 'acct_yesea27eh843znly' ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."seq" = 15) ORDER BY "billing_ledgerentry"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x72";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."reverses_seq" = 15) ORDER BY "billing_ledgerentry"."id" ASC LIMIT 1;
SAVEPOINT "s140381452569472_x73";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before;
WITH account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance +  -5.000000000, seq = a.seq + 1, updated_at = greatest(a.updated_at, '2026-11-27 15:00:53.826378+00:00'::timestamptz)
     WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND (true OR a.due_at IS NULL OR a.due_at > '2026-11-27 15:00:53.826378+00:00'::timestamptz)
       AND (NOT false OR a.balance - a.reserved + a.credit_limit +  -5.000000000 >= 0)
    RETURNING a.organization_id AS account_id, a.seq,  -5.000000000::numeric AS amount, a.balance, a.updated_at)

INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT '01a21d860bc27049bd7c33428a0b93cd'::uuid, account_id, seq, 'reversal', amount, balance, 'Not delivered', '', '{}'::jsonb,
       NULL, 15::bigint, 'key_b179ea65c92eb97c', updated_at
  FROM account
RETURNING account_id, seq, balance_after;
UPDATE billing_grant SET remaining = remaining - least(remaining, 5.000000000)
 WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND entry_seq = 15 AND remaining > 0;
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before;
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND a.due_at IS DISTINCT FROM earliest.due_at;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('[]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
RELEASE SAVEPOINT "s140381452569472_x73";
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."seq" = 16) LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x72";
-- low balance
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.847287+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.8730974::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.8730974::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.8730974::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.8730974::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
UPDATE "billing_ledgeraccount" SET "low_balance" = 1000 WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('[]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
-- key
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.890912+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.908311::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.908311::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.908311::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.908311::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SAVEPOINT "s140381452569472_x74";
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
INSERT INTO "apikeys_apikey" ("id", "public_id", "organization_id", "created_by_id", "name", "description", "environment", "permissions", "created_at", "expires_at", "disabled_at", "allowed_cidrs", "rate_limit", "rate_limit_window_seconds", "monthly_budget", "revoked_at", "last_used_at") VALUES ('01a21d860c1c7679887a73e23d74f7e3'::uuid, 'key_5cb030f0f2657894', '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, 1, 'New', '', 'live', '{usage:read}'::varchar(100)[], '2026-11-27 15:00:53.915081+00:00'::timestamptz, NULL, NULL, '{}'::varchar(43)[], 1000, 60, 4, NULL, NULL);
INSERT INTO "apikeys_apikeysecret" ("id", "key_id", "digest", "pepper", "hint", "created_at", "expires_at") VALUES ('01a21d860c1d728d9338a4c8da5cd533'::uuid, '01a21d860c1c7679887a73e23d74f7e3'::uuid, '\x47fae5ce13fb6047a33676d70a9e083ae50cc8964876f59fb42ca43abaa84e0b'::bytea, 1, 'sk_live_TBF4…Q4lx', '2026-11-27 15:00:53.917992+00:00'::timestamptz, NULL);
RELEASE SAVEPOINT "s140381452569472_x74";
-- change of a key
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.931747+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791653.9670691::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791653.9670691::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.9670691::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791653.9670691::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikey" INNER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE ("apikeys_apikey"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "apikeys_apikey"."public_id" = 'key_5cb030f0f2657894') LIMIT 21;
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at" FROM "apikeys_apikeysecret" WHERE "apikeys_apikeysecret"."key_id" IN ('01a21d860c1c7679887a73e23d74f7e3'::uuid);
UPDATE "apikeys_apikey" SET "disabled_at" = '2026-11-27 15:00:53.980127+00:00'::timestamptz WHERE ("apikeys_apikey"."revoked_at" IS NULL AND "apikeys_apikey"."id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid);
SELECT "apikeys_apikey"."id", "apikeys_apikey"."disabled_at" FROM "apikeys_apikey" WHERE "apikeys_apikey"."id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid LIMIT 21;
-- rotation
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:53.985756+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.0106304::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.0106304::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.0106304::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.0106304::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikey" INNER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE ("apikeys_apikey"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "apikeys_apikey"."public_id" = 'key_5cb030f0f2657894') LIMIT 21;
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at" FROM "apikeys_apikeysecret" WHERE "apikeys_apikeysecret"."key_id" IN ('01a21d860c1c7679887a73e23d74f7e3'::uuid);
SAVEPOINT "s140381452569472_x75";
SELECT "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at" FROM "apikeys_apikey" WHERE "apikeys_apikey"."id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid LIMIT 21 FOR NO KEY UPDATE;
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at" FROM "apikeys_apikeysecret" WHERE "apikeys_apikeysecret"."key_id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid;
UPDATE "apikeys_apikeysecret" SET "expires_at" = '2026-11-27 15:01:54.028174+00:00'::timestamptz WHERE "apikeys_apikeysecret"."id" = '01a21d860c1d728d9338a4c8da5cd533'::uuid;
INSERT INTO "apikeys_apikeysecret" ("id", "key_id", "digest", "pepper", "hint", "created_at", "expires_at") VALUES ('01a21d860c92717c8b6871165a2b74fa'::uuid, '01a21d860c1c7679887a73e23d74f7e3'::uuid, '\x5f2b56fea5ed776071ad373cf3cd7c8466e3ccac6095507c1d001a5a18d99c88'::bytea, 1, 'sk_live_ERvN…toia', '2026-11-27 15:00:54.034700+00:00'::timestamptz, NULL);
RELEASE SAVEPOINT "s140381452569472_x75";
-- revocation
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.041373+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.074626::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.074626::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.074626::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.074626::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikey" INNER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE ("apikeys_apikey"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "apikeys_apikey"."public_id" = 'key_5cb030f0f2657894') LIMIT 21;
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at" FROM "apikeys_apikeysecret" WHERE "apikeys_apikeysecret"."key_id" IN ('01a21d860c1c7679887a73e23d74f7e3'::uuid);
UPDATE "apikeys_apikey" SET "revoked_at" = '2026-11-27 15:00:54.090668+00:00'::timestamptz WHERE ("apikeys_apikey"."revoked_at" IS NULL AND "apikeys_apikey"."id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid);
SELECT "apikeys_apikey"."id", "apikeys_apikey"."revoked_at" FROM "apikeys_apikey" WHERE "apikeys_apikey"."id" = '01a21d860c1c7679887a73e23d74f7e3'::uuid LIMIT 21;
-- child
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.093856+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.1145127::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.1145127::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1145127::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1145127::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SAVEPOINT "s140381452569472_x76";
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid LIMIT 21 FOR NO KEY UPDATE;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid LIMIT 21;
INSERT INTO "accounts_organization" ("id", "public_id", "auth_id", "name", "parent_id", "root_id", "path", "status", "timezone", "monthly_budget", "created_at") VALUES ('01a21d860ce775feb5638a3eefbd5beb'::uuid, 'acct_oag3y5pzv19dsxzt', 'SA34K9JT1YV0NABHSTSH', 'New child', '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d860ce775feb5638a3eefbd5beb}'::uuid[]::uuid[], 'active', 'Asia/Kathmandu', NULL, '2026-11-27 15:00:54.119491+00:00'::timestamptz);
RELEASE SAVEPOINT "s140381452569472_x76";
-- budget
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.127621+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.1427183::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.1427183::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1427183::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1427183::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", T2."id", T2."public_id", T2."auth_id", T2."name", T2."parent_id", T2."root_id", T2."path", T2."status", T2."timezone", T2."monthly_budget", T2."created_at" FROM "accounts_organization" INNER JOIN "accounts_organization" T2 ON ("accounts_organization"."root_id" = T2."id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND "accounts_organization"."public_id" = 'acct_oag3y5pzv19dsxzt') ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d860ce775feb5638a3eefbd5beb'::uuid);
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" INNER JOIN "accounts_organization" T2 ON ("accounts_organization"."id" = T2."parent_id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND T2."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid) ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SAVEPOINT "s140381452569472_x77";
SELECT organization_id, seq + 1, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id)
  FROM billing_ledgeraccount
 WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY('{01a21d85ef0372d7a4bbb52c2fd569b7}'::uuid[]::uuid[])) = 1
 ORDER BY organization_id FOR NO KEY UPDATE;
UPDATE "accounts_organization" SET "monthly_budget" = 9 WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid;
WITH 
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text('["01a21d860ce775feb5638a3eefbd5beb"]'::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text('[]'::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text('["01a21d85ef0372d7a4bbb52c2fd569b7"]'::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r UNION ALL 
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN '2026-11-01'::date AND '2026-11-01'::date LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now;
SELECT s.subject, s.account_id, o.id, coalesce(k.public_id, o.public_id), r.timezone, a.zones,
       CASE WHEN k.id IS NULL THEN o.monthly_budget ELSE k.monthly_budget END, s.month, s.spent, s.alerted, 0
  FROM billing_spending s
  LEFT JOIN apikeys_apikey k ON k.id = s.subject
  JOIN accounts_organization o ON o.id = coalesce(k.organization_id, s.subject)
  JOIN accounts_organization r ON r.id = s.account_id
  JOIN billing_ledgeraccount a ON a.organization_id = s.account_id
 WHERE s.alerted > 0 AND ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid IS NULL OR s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid::uuid);
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x77";
SELECT "billing_ledgeraccount"."organization_id", "billing_ledgeraccount"."balance", "billing_ledgeraccount"."reserved", "billing_ledgeraccount"."credit_limit", "billing_ledgeraccount"."seq", "billing_ledgeraccount"."due_at", "billing_ledgeraccount"."closed_through", "billing_ledgeraccount"."low_balance", "billing_ledgeraccount"."is_low", "billing_ledgeraccount"."zones", "billing_ledgeraccount"."updated_at" FROM "billing_ledgeraccount" WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_ledgeraccount"."organization_id" ASC LIMIT 1;
SELECT o.timezone, coalesce(a.zones, '[]') FROM accounts_organization o
  LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.id WHERE o.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid;
SELECT cap.id AS subject, cap.monthly_budget AS budget, 
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND s.subject = cap.id AND s.month = '2026-11-01'::date), 0)
 AS spent,
       CASE WHEN cap.id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid), 0)
            ELSE (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE h.account_id = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND h.status = 'open' AND h.expires_at > '2026-11-27 15:00:54.167804+00:00'::timestamptz AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
 WHERE cap.id = '01a21d860ce775feb5638a3eefbd5beb'::uuid;
-- move
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.170395+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.1777356::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.1777356::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1777356::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.1777356::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", T2."id", T2."public_id", T2."auth_id", T2."name", T2."parent_id", T2."root_id", T2."path", T2."status", T2."timezone", T2."monthly_budget", T2."created_at" FROM "accounts_organization" LEFT OUTER JOIN "accounts_organization" T2 ON ("accounts_organization"."parent_id" = T2."id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND "accounts_organization"."public_id" = 'acct_oag3y5pzv19dsxzt') ORDER BY "accounts_organization"."created_at" ASC, "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d860ce775feb5638a3eefbd5beb'::uuid);
SAVEPOINT "s140381452569472_x78";
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid LIMIT 21 FOR NO KEY UPDATE;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid LIMIT 21;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND "accounts_organization"."public_id" = 'acct_tsjm6dteg5z58q9i') ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid);
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d860ce775feb5638a3eefbd5beb'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid) LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) LIMIT 1;
SELECT "accounts_organization"."path" AS "path" FROM "accounts_organization" WHERE "accounts_organization"."path" @> (ARRAY['01a21d860ce775feb5638a3eefbd5beb'::uuid])::uuid[];
UPDATE "accounts_organization" SET "path" = array_cat('{01a21d85ef0372d7a4bbb52c2fd569b7,01a21d85f29f744b80ead5ac4b9ee3bd}'::uuid[]::uuid[], ("accounts_organization"."path")[2:])::uuid[], "parent_id" = CAST(CASE WHEN ("accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid) THEN '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid ELSE "accounts_organization"."parent_id" END AS uuid) WHERE "accounts_organization"."path" @> (ARRAY['01a21d860ce775feb5638a3eefbd5beb'::uuid])::uuid[];
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", T2."id", T2."public_id", T2."auth_id", T2."name", T2."parent_id", T2."root_id", T2."path", T2."status", T2."timezone", T2."monthly_budget", T2."created_at" FROM "accounts_organization" LEFT OUTER JOIN "accounts_organization" T2 ON ("accounts_organization"."parent_id" = T2."id") WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid LIMIT 21;
RELEASE SAVEPOINT "s140381452569472_x78";
-- suspension
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.209561+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.224851::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.224851::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.224851::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.224851::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", T2."id", T2."public_id", T2."auth_id", T2."name", T2."parent_id", T2."root_id", T2."path", T2."status", T2."timezone", T2."monthly_budget", T2."created_at" FROM "accounts_organization" LEFT OUTER JOIN "accounts_organization" T2 ON ("accounts_organization"."parent_id" = T2."id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND "accounts_organization"."public_id" = 'acct_oag3y5pzv19dsxzt') ORDER BY "accounts_organization"."created_at" ASC, "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid, '01a21d860ce775feb5638a3eefbd5beb'::uuid);
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" INNER JOIN "accounts_organization" T2 ON ("accounts_organization"."id" = T2."parent_id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND T2."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid) ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) LIMIT 1;
UPDATE "accounts_organization" SET "status" = 'suspended' WHERE ("accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid AND NOT ("accounts_organization"."status" = 'closed'));
SELECT "accounts_organization"."id", "accounts_organization"."status" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid LIMIT 21;
-- resumption
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.253479+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.2672834::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.2672834::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.2672834::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.2672834::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", T2."id", T2."public_id", T2."auth_id", T2."name", T2."parent_id", T2."root_id", T2."path", T2."status", T2."timezone", T2."monthly_budget", T2."created_at" FROM "accounts_organization" LEFT OUTER JOIN "accounts_organization" T2 ON ("accounts_organization"."parent_id" = T2."id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND "accounts_organization"."public_id" = 'acct_oag3y5pzv19dsxzt') ORDER BY "accounts_organization"."created_at" ASC, "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid, '01a21d860ce775feb5638a3eefbd5beb'::uuid);
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" INNER JOIN "accounts_organization" T2 ON ("accounts_organization"."id" = T2."parent_id") WHERE ("accounts_organization"."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[] AND T2."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid) ORDER BY "accounts_organization"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid, '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85f29f744b80ead5ac4b9ee3bd'::uuid) LIMIT 1;
UPDATE "accounts_organization" SET "status" = 'active' WHERE ("accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid AND NOT ("accounts_organization"."status" = 'closed'));
SELECT "accounts_organization"."id", "accounts_organization"."status" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d860ce775feb5638a3eefbd5beb'::uuid LIMIT 21;
-- usage
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.297332+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.3145416::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.3145416::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.3145416::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.3145416::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT COALESCE(SUM("usage_usagerollup"."requests"), 0) AS "requests", COALESCE(SUM("usage_usagerollup"."failed"), 0) AS "failed", COALESCE(SUM("usage_usagerollup"."credits"), 0) AS "credits" FROM "usage_usagerollup" WHERE ("usage_usagerollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_usagerollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_usagerollup"."bucket" >= '2025-12-31 18:15:00+00:00'::timestamptz AND "usage_usagerollup"."bucket" < '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_usagerollup"."environment" = 'live');
SELECT COUNT("usage_event"."id") AS "requests", COUNT("usage_event"."id") FILTER (WHERE "usage_event"."failed") AS "failed", COALESCE(SUM("usage_event"."credits"), 0) AS "credits" FROM "usage_event" WHERE ("usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND NOT EXISTS(SELECT 1 AS "a" FROM "usage_eventvoid" U0 WHERE (U0."account_id" = ("usage_event"."account_id") AND U0."event_id" = ("usage_event"."id") AND U0."organization_id" = ("usage_event"."organization_id") AND U0."recorded_at" = ("usage_event"."recorded_at")) LIMIT 1) AND "usage_event"."environment" = 'live' AND "usage_event"."occurred_at" >= '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_event"."occurred_at" < '2026-11-27 15:00:54.318464+00:00'::timestamptz AND "usage_event"."recorded_at" >= '2026-11-27 15:00:00+00:00'::timestamptz);
SELECT CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END AS "name", (COUNT("usage_event"."id"))::bigint AS "n" FROM "usage_event" WHERE ("usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND NOT EXISTS(SELECT 1 AS "a" FROM "usage_eventvoid" U0 WHERE (U0."account_id" = ("usage_event"."account_id") AND U0."event_id" = ("usage_event"."id") AND U0."organization_id" = ("usage_event"."organization_id") AND U0."recorded_at" = ("usage_event"."recorded_at")) LIMIT 1) AND "usage_event"."environment" = 'live' AND "usage_event"."occurred_at" >= '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_event"."occurred_at" < '2026-11-27 15:00:54.318464+00:00'::timestamptz AND "usage_event"."recorded_at" >= '2026-11-27 15:00:00+00:00'::timestamptz) GROUP BY 1, CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END COLLATE "C" ORDER BY 2 DESC, CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END COLLATE "C" ASC;
SELECT CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END AS "name", (SUM("usage_endpointrollup"."requests"))::bigint AS "n" FROM "usage_endpointrollup" WHERE ("usage_endpointrollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_endpointrollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_endpointrollup"."bucket" >= '2025-12-31 18:15:00+00:00'::timestamptz AND "usage_endpointrollup"."bucket" < '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_endpointrollup"."environment" = 'live') GROUP BY 1, CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END COLLATE "C" ORDER BY 2 DESC, CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END COLLATE "C" ASC LIMIT 1001;
-- credits
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.355872+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.380197::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.380197::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.380197::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.380197::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_ledgeraccount"."organization_id", "billing_ledgeraccount"."balance", "billing_ledgeraccount"."reserved", "billing_ledgeraccount"."credit_limit", "billing_ledgeraccount"."seq", "billing_ledgeraccount"."due_at", "billing_ledgeraccount"."closed_through", "billing_ledgeraccount"."low_balance", "billing_ledgeraccount"."is_low", "billing_ledgeraccount"."zones", "billing_ledgeraccount"."updated_at" FROM "billing_ledgeraccount" WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_ledgeraccount"."organization_id" ASC LIMIT 1;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SELECT "billing_autorecharge"."organization_id", "billing_autorecharge"."enabled", "billing_autorecharge"."threshold", "billing_autorecharge"."amount", "billing_autorecharge"."target", "billing_autorecharge"."payment_method_id", "billing_autorecharge"."monthly_limit", "billing_autorecharge"."monthly_count" FROM "billing_autorecharge" WHERE "billing_autorecharge"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_autorecharge"."organization_id" ASC LIMIT 1;
-- ledger
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.397948+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.4235747::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.4235747::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.4235747::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.4235747::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SELECT "billing_ledgeraccount"."organization_id", "billing_ledgeraccount"."balance", "billing_ledgeraccount"."reserved", "billing_ledgeraccount"."credit_limit", "billing_ledgeraccount"."seq", "billing_ledgeraccount"."due_at", "billing_ledgeraccount"."closed_through", "billing_ledgeraccount"."low_balance", "billing_ledgeraccount"."is_low", "billing_ledgeraccount"."zones", "billing_ledgeraccount"."updated_at" FROM "billing_ledgeraccount" WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_ledgeraccount"."organization_id" ASC LIMIT 1;
SELECT "billing_ledgerentry"."seq" AS "seq" FROM "billing_ledgerentry" WHERE "billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY 1 DESC LIMIT 1;
SELECT "billing_ledgerentry"."id", "billing_ledgerentry"."account_id", "billing_ledgerentry"."seq", "billing_ledgerentry"."kind", "billing_ledgerentry"."amount", "billing_ledgerentry"."balance_after", "billing_ledgerentry"."description", "billing_ledgerentry"."reference", "billing_ledgerentry"."metadata", "billing_ledgerentry"."idempotency_key", "billing_ledgerentry"."reverses_seq", "billing_ledgerentry"."actor", "billing_ledgerentry"."created_at" FROM "billing_ledgerentry" WHERE ("billing_ledgerentry"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_ledgerentry"."seq" > 13 AND "billing_ledgerentry"."seq" <= 16) ORDER BY "billing_ledgerentry"."seq" DESC;
-- summary
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.441588+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.4606242::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.4606242::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.4606242::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.4606242::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "billing_ledgeraccount"."organization_id", "billing_ledgeraccount"."balance", "billing_ledgeraccount"."reserved", "billing_ledgeraccount"."credit_limit", "billing_ledgeraccount"."seq", "billing_ledgeraccount"."due_at", "billing_ledgeraccount"."closed_through", "billing_ledgeraccount"."low_balance", "billing_ledgeraccount"."is_low", "billing_ledgeraccount"."zones", "billing_ledgeraccount"."updated_at" FROM "billing_ledgeraccount" WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_ledgeraccount"."organization_id" ASC LIMIT 1;
SELECT "billing_ledgeraccount"."organization_id", "billing_ledgeraccount"."balance", "billing_ledgeraccount"."reserved", "billing_ledgeraccount"."credit_limit", "billing_ledgeraccount"."seq", "billing_ledgeraccount"."due_at", "billing_ledgeraccount"."closed_through", "billing_ledgeraccount"."low_balance", "billing_ledgeraccount"."is_low", "billing_ledgeraccount"."zones", "billing_ledgeraccount"."updated_at" FROM "billing_ledgeraccount" WHERE "billing_ledgeraccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_ledgeraccount"."organization_id" ASC LIMIT 1;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SELECT "billing_autorecharge"."organization_id", "billing_autorecharge"."enabled", "billing_autorecharge"."threshold", "billing_autorecharge"."amount", "billing_autorecharge"."target", "billing_autorecharge"."payment_method_id", "billing_autorecharge"."monthly_limit", "billing_autorecharge"."monthly_count" FROM "billing_autorecharge" WHERE "billing_autorecharge"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid ORDER BY "billing_autorecharge"."organization_id" ASC LIMIT 1;
SELECT "billing_subscription"."id", "billing_subscription"."organization_id", "billing_subscription"."plan_id", "billing_subscription"."status", "billing_subscription"."current_period_start", "billing_subscription"."current_period_end", "billing_subscription"."cancel_at_period_end", "billing_subscription"."created_at", "billing_plan"."id", "billing_plan"."slug", "billing_plan"."name", "billing_plan"."description", "billing_plan"."monthly_price", "billing_plan"."is_offered" FROM "billing_subscription" INNER JOIN "billing_plan" ON ("billing_subscription"."plan_id" = "billing_plan"."id") WHERE ("billing_subscription"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_subscription"."status" = 'active') ORDER BY "billing_subscription"."id" ASC LIMIT 1;
SELECT COALESCE(SUM("usage_usagerollup"."requests"), 0) AS "requests", COALESCE(SUM("usage_usagerollup"."failed"), 0) AS "failed", COALESCE(SUM("usage_usagerollup"."credits"), 0) AS "credits" FROM "usage_usagerollup" WHERE ("usage_usagerollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_usagerollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_usagerollup"."bucket" >= '2026-10-31 18:15:00+00:00'::timestamptz AND "usage_usagerollup"."bucket" < '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_usagerollup"."environment" = 'live');
SELECT COUNT("usage_event"."id") AS "requests", COUNT("usage_event"."id") FILTER (WHERE "usage_event"."failed") AS "failed", COALESCE(SUM("usage_event"."credits"), 0) AS "credits" FROM "usage_event" WHERE ("usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND NOT EXISTS(SELECT 1 AS "a" FROM "usage_eventvoid" U0 WHERE (U0."account_id" = ("usage_event"."account_id") AND U0."event_id" = ("usage_event"."id") AND U0."organization_id" = ("usage_event"."organization_id") AND U0."recorded_at" = ("usage_event"."recorded_at")) LIMIT 1) AND "usage_event"."environment" = 'live' AND "usage_event"."occurred_at" >= '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_event"."occurred_at" < '2026-11-27 15:00:54.466579+00:00'::timestamptz AND "usage_event"."recorded_at" >= '2026-11-27 15:00:00+00:00'::timestamptz);
SELECT CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END AS "name", (COUNT("usage_event"."id"))::bigint AS "n" FROM "usage_event" WHERE ("usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND NOT EXISTS(SELECT 1 AS "a" FROM "usage_eventvoid" U0 WHERE (U0."account_id" = ("usage_event"."account_id") AND U0."event_id" = ("usage_event"."id") AND U0."organization_id" = ("usage_event"."organization_id") AND U0."recorded_at" = ("usage_event"."recorded_at")) LIMIT 1) AND "usage_event"."environment" = 'live' AND "usage_event"."occurred_at" >= '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_event"."occurred_at" < '2026-11-27 15:00:54.466579+00:00'::timestamptz AND "usage_event"."recorded_at" >= '2026-11-27 15:00:00+00:00'::timestamptz) GROUP BY 1, CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END COLLATE "C" ORDER BY 2 DESC, CASE WHEN "usage_event"."endpoint" = '' THEN '(none)' ELSE "usage_event"."endpoint" END COLLATE "C" ASC;
SELECT CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END AS "name", (SUM("usage_endpointrollup"."requests"))::bigint AS "n" FROM "usage_endpointrollup" WHERE ("usage_endpointrollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_endpointrollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_endpointrollup"."bucket" >= '2026-10-31 18:15:00+00:00'::timestamptz AND "usage_endpointrollup"."bucket" < '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_endpointrollup"."environment" = 'live') GROUP BY 1, CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END COLLATE "C" ORDER BY 2 DESC, CASE WHEN "usage_endpointrollup"."endpoint" = '' THEN '(none)' ELSE "usage_endpointrollup"."endpoint" END COLLATE "C" ASC LIMIT 1001;
SELECT COALESCE(SUM("usage_volume"."requests"), 0) AS "n" FROM "usage_volume" WHERE "usage_volume"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid;
-- series
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.513323+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.5291834::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.5291834::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.5291834::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.5291834::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT width_bucket("usage_endpointrollup"."bucket", '{"2026-10-31 18:15:00+00:00","2026-11-01 18:15:00+00:00","2026-11-02 18:15:00+00:00","2026-11-03 18:15:00+00:00","2026-11-04 18:15:00+00:00","2026-11-05 18:15:00+00:00","2026-11-06 18:15:00+00:00","2026-11-07 18:15:00+00:00","2026-11-08 18:15:00+00:00","2026-11-09 18:15:00+00:00","2026-11-10 18:15:00+00:00","2026-11-11 18:15:00+00:00","2026-11-12 18:15:00+00:00","2026-11-13 18:15:00+00:00","2026-11-14 18:15:00+00:00","2026-11-15 18:15:00+00:00","2026-11-16 18:15:00+00:00","2026-11-17 18:15:00+00:00","2026-11-18 18:15:00+00:00","2026-11-19 18:15:00+00:00","2026-11-20 18:15:00+00:00","2026-11-21 18:15:00+00:00","2026-11-22 18:15:00+00:00","2026-11-23 18:15:00+00:00","2026-11-24 18:15:00+00:00","2026-11-25 18:15:00+00:00","2026-11-26 18:15:00+00:00"}'::timestamptz[]::timestamp with time zone[]) AS "number", "billing_meter"."slug" AS "meter__slug", "usage_endpointrollup"."endpoint" AS "endpoint", "apikeys_apikey"."public_id" AS "key__public_id", "accounts_organization"."public_id" AS "organization__public_id", SUM("usage_endpointrollup"."requests") AS "n", SUM("usage_endpointrollup"."failed") AS "bad", SUM("usage_endpointrollup"."quantity") AS "amount", SUM("usage_endpointrollup"."credits") AS "paid" FROM "usage_endpointrollup" INNER JOIN "accounts_organization" ON ("usage_endpointrollup"."organization_id" = "accounts_organization"."id") INNER JOIN "billing_meter" ON ("usage_endpointrollup"."meter_id" = "billing_meter"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("usage_endpointrollup"."key_id" = "apikeys_apikey"."id") WHERE ("usage_endpointrollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_endpointrollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_endpointrollup"."bucket" >= '2026-10-31 18:15:00+00:00'::timestamptz AND "usage_endpointrollup"."bucket" < '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_endpointrollup"."environment" = 'live') GROUP BY 2, 3, 4, 5, 1 LIMIT 10001;
SELECT width_bucket("usage_event"."occurred_at", '{"2026-10-31 18:15:00+00:00","2026-11-01 18:15:00+00:00","2026-11-02 18:15:00+00:00","2026-11-03 18:15:00+00:00","2026-11-04 18:15:00+00:00","2026-11-05 18:15:00+00:00","2026-11-06 18:15:00+00:00","2026-11-07 18:15:00+00:00","2026-11-08 18:15:00+00:00","2026-11-09 18:15:00+00:00","2026-11-10 18:15:00+00:00","2026-11-11 18:15:00+00:00","2026-11-12 18:15:00+00:00","2026-11-13 18:15:00+00:00","2026-11-14 18:15:00+00:00","2026-11-15 18:15:00+00:00","2026-11-16 18:15:00+00:00","2026-11-17 18:15:00+00:00","2026-11-18 18:15:00+00:00","2026-11-19 18:15:00+00:00","2026-11-20 18:15:00+00:00","2026-11-21 18:15:00+00:00","2026-11-22 18:15:00+00:00","2026-11-23 18:15:00+00:00","2026-11-24 18:15:00+00:00","2026-11-25 18:15:00+00:00","2026-11-26 18:15:00+00:00"}'::timestamptz[]::timestamp with time zone[]) AS "number", "billing_meter"."slug" AS "meter__slug", "usage_event"."endpoint" AS "endpoint", "apikeys_apikey"."public_id" AS "key__public_id", "accounts_organization"."public_id" AS "organization__public_id", COUNT("usage_event"."id") AS "n", COUNT("usage_event"."id") FILTER (WHERE "usage_event"."failed") AS "bad", SUM("usage_event"."quantity") AS "amount", SUM("usage_event"."credits") AS "paid" FROM "usage_event" INNER JOIN "accounts_organization" ON ("usage_event"."organization_id" = "accounts_organization"."id") INNER JOIN "billing_meter" ON ("usage_event"."meter_id" = "billing_meter"."id") LEFT OUTER JOIN "apikeys_apikey" ON ("usage_event"."key_id" = "apikeys_apikey"."id") WHERE ("usage_event"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND NOT EXISTS(SELECT 1 AS "a" FROM "usage_eventvoid" U0 WHERE (U0."account_id" = ("usage_event"."account_id") AND U0."event_id" = ("usage_event"."id") AND U0."organization_id" = ("usage_event"."organization_id") AND U0."recorded_at" = ("usage_event"."recorded_at")) LIMIT 1) AND "usage_event"."environment" = 'live' AND "usage_event"."occurred_at" >= '2026-11-27 15:00:00+00:00'::timestamptz AND "usage_event"."occurred_at" < '2026-11-27 15:00:54.530665+00:00'::timestamptz AND "usage_event"."recorded_at" >= '2026-11-27 15:00:00+00:00'::timestamptz) GROUP BY 2, 3, 4, 5, 1 LIMIT 10001;
-- details
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.556444+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.5710297::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.5710297::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.5710297::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.5710297::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_organization" WHERE "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid LIMIT 21;
SELECT "billing_subscription"."id", "billing_subscription"."organization_id", "billing_subscription"."plan_id", "billing_subscription"."status", "billing_subscription"."current_period_start", "billing_subscription"."current_period_end", "billing_subscription"."cancel_at_period_end", "billing_subscription"."created_at", "billing_plan"."id", "billing_plan"."slug", "billing_plan"."name", "billing_plan"."description", "billing_plan"."monthly_price", "billing_plan"."is_offered" FROM "billing_subscription" INNER JOIN "billing_plan" ON ("billing_subscription"."plan_id" = "billing_plan"."id") WHERE ("billing_subscription"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_subscription"."status" = 'active') ORDER BY "billing_subscription"."id" ASC LIMIT 1;
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "billing_meter"."slug" AS "meter__slug", SUM("usage_usagerollup"."quantity") AS "n" FROM "usage_usagerollup" INNER JOIN "billing_meter" ON ("usage_usagerollup"."meter_id" = "billing_meter"."id") WHERE ("usage_usagerollup"."account_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "usage_usagerollup"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) AND "usage_usagerollup"."bucket" >= '2026-10-31 18:15:00+00:00'::timestamptz AND "usage_usagerollup"."bucket" < '2026-11-30 18:15:00+00:00'::timestamptz AND "usage_usagerollup"."environment" = 'live') GROUP BY 1;
SELECT "billing_meter"."slug" AS "meter__slug", "billing_planallowance"."included_quantity" AS "included_quantity" FROM "billing_planallowance" INNER JOIN "billing_plan" ON ("billing_planallowance"."plan_id" = "billing_plan"."id") INNER JOIN "billing_meter" ON ("billing_planallowance"."meter_id" = "billing_meter"."id") WHERE "billing_plan"."slug" = 'team';
SELECT "billing_meter"."slug" AS "slug" FROM "billing_meter" ORDER BY 1 ASC;
SELECT "billing_billingaccount"."id", "billing_billingaccount"."public_id", "billing_billingaccount"."organization_id", "billing_billingaccount"."name", "billing_billingaccount"."email", "billing_billingaccount"."currency", "billing_billingaccount"."country", "billing_billingaccount"."city", "billing_billingaccount"."line1", "billing_billingaccount"."line2", "billing_billingaccount"."postal_code", "billing_billingaccount"."state", "billing_billingaccount"."created_at", "billing_billingaccount"."closed_at" FROM "billing_billingaccount" WHERE ("billing_billingaccount"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_billingaccount"."closed_at" IS NULL) ORDER BY "billing_billingaccount"."id" ASC LIMIT 1;
SELECT 1 AS "a" FROM "billing_autorecharge" WHERE ("billing_autorecharge"."organization_id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid AND "billing_autorecharge"."enabled") LIMIT 1;
-- events of the organization
SELECT "apikeys_apikeysecret"."id", "apikeys_apikeysecret"."key_id", "apikeys_apikeysecret"."digest", "apikeys_apikeysecret"."pepper", "apikeys_apikeysecret"."hint", "apikeys_apikeysecret"."created_at", "apikeys_apikeysecret"."expires_at", "apikeys_apikey"."id", "apikeys_apikey"."public_id", "apikeys_apikey"."organization_id", "apikeys_apikey"."created_by_id", "apikeys_apikey"."name", "apikeys_apikey"."description", "apikeys_apikey"."environment", "apikeys_apikey"."permissions", "apikeys_apikey"."created_at", "apikeys_apikey"."expires_at", "apikeys_apikey"."disabled_at", "apikeys_apikey"."allowed_cidrs", "apikeys_apikey"."rate_limit", "apikeys_apikey"."rate_limit_window_seconds", "apikeys_apikey"."monthly_budget", "apikeys_apikey"."revoked_at", "apikeys_apikey"."last_used_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at", "accounts_user"."id", "accounts_user"."password", "accounts_user"."last_login", "accounts_user"."is_superuser", "accounts_user"."email", "accounts_user"."name", "accounts_user"."timezone", "accounts_user"."current_organization_id", "accounts_user"."is_active", "accounts_user"."is_staff", "accounts_user"."created_at" FROM "apikeys_apikeysecret" INNER JOIN "apikeys_apikey" ON ("apikeys_apikeysecret"."key_id" = "apikeys_apikey"."id") LEFT OUTER JOIN "accounts_organization" ON ("apikeys_apikey"."organization_id" = "accounts_organization"."id") LEFT OUTER JOIN "accounts_user" ON ("apikeys_apikey"."created_by_id" = "accounts_user"."id") WHERE (("apikeys_apikeysecret"."expires_at" IS NULL OR "apikeys_apikeysecret"."expires_at" > '2026-11-27 15:00:54.603831+00:00'::timestamptz) AND "apikeys_apikeysecret"."digest" IN ('\x631aa99ff745801152325393652950ee87590a30563689881a659975d31b6d13'::bytea)) ORDER BY "apikeys_apikeysecret"."id" ASC LIMIT 1;
SELECT "accounts_membership"."role" AS "role" FROM "accounts_membership" WHERE ("accounts_membership"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) AND "accounts_membership"."user_id" = 1);
SELECT 1 AS "a" FROM "accounts_organization" WHERE (NOT (EXISTS(SELECT 1 AS "a" FROM "accounts_organization" U0 WHERE (NOT (U0."status" = 'active') AND (U0."id" = ANY("accounts_organization"."path"))) LIMIT 1)) AND "accounts_organization"."id" = '01a21d85ef0372d7a4bbb52c2fd569b7'::uuid) LIMIT 1;
SELECT "accounts_securitypolicy"."organization_id", "accounts_securitypolicy"."require_two_factor", "accounts_securitypolicy"."allowed_networks", "accounts_securitypolicy"."allowed_email_domains", "accounts_securitypolicy"."longest_key_life_days" FROM "accounts_securitypolicy" WHERE "accounts_securitypolicy"."organization_id" IN ('01a21d85ef0372d7a4bbb52c2fd569b7'::uuid);
WITH limited AS (
    SELECT 'key:01a21d85-f2a5-702d-b594-0430128bb05c'::text AS subject, 1000::int AS rate_limit, 60::int AS window_seconds),

counted AS (
    INSERT INTO apikeys_ratecount AS x (subject, moments, calls)
    SELECT subject, ARRAY[
CASE WHEN rate_limit > 64 THEN ceil(1795791654.6200993::float8 * 64 / window_seconds) * window_seconds / 64
     ELSE 1795791654.6200993::float8 END
], ARRAY[1] FROM limited
    ON CONFLICT (subject) DO UPDATE
       SET (moments, calls) = (
           SELECT array_agg(moment ORDER BY moment), array_agg(calls ORDER BY moment)
             FROM (SELECT moment, sum(calls)::int AS calls
                     FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.6200993::float8 - window_seconds
 UNION ALL
                           SELECT greatest(excluded.moments[1], x.moments[cardinality(x.moments)]), 1) call
                    GROUP BY moment) kept)
     WHERE (SELECT coalesce(sum(calls), 0) FROM (
SELECT moment, calls FROM unnest(x.moments, x.calls) AS call(moment, calls), limited
 WHERE moment > 1795791654.6200993::float8 - window_seconds
) call) < (SELECT rate_limit FROM limited)
    RETURNING subject, moments, calls)

SELECT counted.subject IS NOT NULL, coalesce(counted.moments, x.moments), coalesce(counted.calls, x.calls)
  FROM limited LEFT JOIN counted ON true 
LEFT JOIN apikeys_ratecount x ON x.subject = limited.subject AND counted.subject IS NULL;
SELECT COUNT(*) AS "__count" FROM "accounts_event" WHERE "accounts_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]);
SELECT "accounts_event"."id", "accounts_event"."organization_id", "accounts_event"."type", "accounts_event"."data", "accounts_event"."created_at", "accounts_organization"."id", "accounts_organization"."public_id", "accounts_organization"."auth_id", "accounts_organization"."name", "accounts_organization"."parent_id", "accounts_organization"."root_id", "accounts_organization"."path", "accounts_organization"."status", "accounts_organization"."timezone", "accounts_organization"."monthly_budget", "accounts_organization"."created_at" FROM "accounts_event" INNER JOIN "accounts_organization" ON ("accounts_event"."organization_id" = "accounts_organization"."id") WHERE "accounts_event"."organization_id" IN (SELECT U0."id" FROM "accounts_organization" U0 WHERE U0."path" @> (ARRAY['01a21d85ef0372d7a4bbb52c2fd569b7'::uuid])::uuid[]) ORDER BY "accounts_event"."id" DESC LIMIT 50;
