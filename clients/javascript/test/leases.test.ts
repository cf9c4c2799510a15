import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, credits, Lease, OutOfCredits } from "../src/index.js";
import { client, server } from "./setup.js";

const available = async () => (await client().verify(server.secret, { meter: "sms", quantity: 0 })).available ?? 0n;

test("a slice is reserved, spent, and what is left comes back", async () => {
  const before = await available();
  const lease = new Lease(client(), server.organization, credits("10"));
  const spending = await lease.spend(credits("1"));
  assert.equal(await available(), before - credits("10"));
  const usage = { key_id: server.keyId, meter: "requests", quantity: 1000, hold: spending.hold };
  await client().sendUsage([{ id: "js-lease-1", ...usage }]);
  await lease.close();
  assert.equal(await available(), before - credits("1"));
});

test("calls are not asked about one by one, and what was estimated too high can be spent again", async () => {
  const lease = new Lease(client(), server.organization, credits("10"));
  lease.settle(await lease.spend(credits("6")), credits("1"));
  for (let n = 0; n < 6; n++) assert.ok(lease.spendNow(credits("1")), String(n));
  await lease.close();
});

test("many at once never spend more than there is", async () => {
  const before = await available();
  const leases = Array.from({ length: 4 }, () => new Lease(client(), server.organization, credits("7")));
  const spendAll = async (lease: Lease) => {
    for (let spent = 0; ; spent++) {
      try {
        await lease.spend(credits("1"));
      } catch (error) {
        assert.ok(error instanceof OutOfCredits, String(error));
        return spent;
      }
    }
  };
  const spent = (await Promise.all([...leases, ...leases].map(spendAll))).reduce((sum, n) => sum + n, 0);
  assert.ok(credits(String(spent)) <= before && spent > 60, `${spent}`);
  await Promise.all(leases.map((lease) => lease.close()));
  assert.equal(await available(), before);
});

test("when Tollgate is gone, what was granted is spent, and no more", async () => {
  const lease = new Lease(client(), server.organization, credits("5"), { ttl_seconds: 1, grace_seconds: 5 });
  await lease.spend(credits("1"));
  Object.assign(lease, { client: new Client("http://127.0.0.1:9", "sk_live_any", { retries: 0 }) });
  for (let n = 0; n < 4; n++) await lease.spend(credits("1"));
  await assert.rejects(lease.spend(credits("1")), OutOfCredits);
  const short = new Lease(client(), server.organization, credits("5"), { ttl_seconds: 1, grace_seconds: 5 });
  await short.spend(credits("1"));
  Object.assign(short, { client: new Client("http://127.0.0.1:9", "sk_live_any", { retries: 0 }) });
  await new Promise((go) => setTimeout(go, 1050));
  await assert.rejects(short.spend(credits("1")), OutOfCredits);
});

test("the lease is renewed before it ends", async () => {
  const lease = new Lease(client(), server.organization, credits("5"), { ttl_seconds: 1, grace_seconds: 5 });
  const first = await lease.spend(credits("0.1"));
  for (let waited = 0; waited < 1500; waited += 100) {
    await new Promise((go) => setTimeout(go, 100));
    assert.equal((await lease.spend(credits("0.01"))).hold, first.hold);
  }
  await lease.close();
});
