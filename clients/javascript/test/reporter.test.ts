import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Reporter, Spool, Unreachable } from "../src/index.js";
import { client, folder, nowhere, server } from "./setup.js";

const DYING = fileURLToPath(new URL("./dying.js", import.meta.url));
const event = (id: string) => ({ id, organization: server.organization, meter: "requests" });
const quiet = { onError: () => undefined };

test("what is reported arrives by itself", async () => {
  const spool = new Spool(folder());
  const reporter = new Reporter(client(), spool, { every: 10 });
  reporter.report(event("js-itself"));
  for (let waited = 0; !spool.isEmpty() && waited < 5000; waited += 20) await new Promise((go) => setTimeout(go, 20));
  assert.ok(spool.isEmpty());
  await reporter.close();
});

test("while cut off usage waits, for another process too", async () => {
  const place = folder();
  const cut = new Reporter(nowhere(), new Spool(place), quiet);
  for (const id of ["js-1", "js-2", "js-3"]) cut.report(event(id));
  await assert.rejects(cut.flush(), Unreachable);
  await cut.close();
  const reporter = new Reporter(client(), new Spool(place));
  assert.equal(await reporter.flush(), 3);
  await reporter.close();
  assert.ok(new Spool(place).isEmpty());
});

test("what is rejected is kept aside with the reason", async () => {
  const place = folder();
  const reporter = new Reporter(client(), new Spool(place), quiet);
  reporter.report({ ...event("js-bad"), meter: "faxes" });
  reporter.report(event("js-good"));
  await reporter.close();
  const [line, ...others] = readFileSync(join(place, "rejected.jsonl"), "utf8").trim().split("\n");
  assert.equal((JSON.parse(line ?? "") as { code: string }).code, "unknown_meter");
  assert.equal(others.length, 0);
});

test("a batch that is too large is sent in parts", async () => {
  const reporter = new Reporter(client(), new Spool(folder()));
  for (let n = 0; n < 800; n++) reporter.report({ ...event(`js-large-${n}`), properties: { text: "x".repeat(6000) } });
  assert.equal(await reporter.flush(), 800);
  await reporter.close();
});

test("a process that is killed loses nothing", async () => {
  const place = folder();
  const { signal } = spawnSync(process.execPath, [DYING, place, JSON.stringify(server)], { timeout: 60_000 });
  assert.equal(signal, "SIGKILL");
  appendFileSync(join(place, "waiting.jsonl"), '{"id": "js-torn", "org'); // it died while it wrote another
  const spool = new Spool(place);
  const reporter = new Reporter(client(), spool);
  await reporter.flush();
  const results = await client().sendUsage(Array.from({ length: 500 }, (_, n) => event(`js-dying-${n}`)));
  assert.deepEqual(new Set(results.map((result) => result.result)), new Set(["duplicate"]));
  reporter.report(event("js-after"));
  assert.equal(await reporter.flush(), 1);
  await reporter.close();
});

test("a spool belongs to one process", () => {
  const place = folder();
  const spool = new Spool(place);
  const source = `import { Spool } from ${JSON.stringify(new URL("../src/index.js", import.meta.url))}; new Spool(${JSON.stringify(place)});`;
  const other = () => spawnSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" });
  assert.match(other().stderr, /uses this spool/);
  spool.close();
  assert.equal(other().stderr, "");
});

test("a file that was sent whole is emptied, and what comes then is sent", async () => {
  const place = folder();
  const reporter = new Reporter(client(), new Spool(place));
  for (let n = 0; n < 300; n++) reporter.report({ ...event(`js-full-${n}`), properties: { text: "x".repeat(4000) } });
  await reporter.flush();
  assert.equal(readFileSync(join(place, "waiting.jsonl")).length, 0);
  reporter.report(event("js-full-after"));
  assert.equal(await reporter.flush(), 1);
  await reporter.close();
});

test("an offset beyond the end sends again what is there", async () => {
  const place = folder();
  const spool = new Spool(place);
  spool.add({ ...event("js-lost"), occurred_at: new Date().toISOString() });
  spool.settle(spool.oldest(10), []);
  spool.close();
  rmSync(join(place, "waiting.jsonl"));
  const again = new Spool(place);
  again.add({ ...event("js-found"), occurred_at: new Date().toISOString() });
  assert.equal(again.oldest(10).events.length, 1);
});
