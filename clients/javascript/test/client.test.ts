import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { Client, credits, Refused, Unreachable } from "../src/index.js";
import { client, nowhere, server } from "./setup.js";

/** Serves a few requests at an address of its own. */
async function serving(
  answer: (request: IncomingMessage, response: ServerResponse, attempt: number) => void,
  use: (url: string) => Promise<void>,
): Promise<void> {
  let attempts = 0;
  const listener = createServer((request, response) => {
    request.resume();
    request.on("end", () => answer(request, response, attempts++));
  });
  await new Promise<void>((listening) => listener.listen(0, "127.0.0.1", listening));
  try {
    await use(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  } finally {
    listener.closeAllConnections();
    listener.close();
  }
}

test("a key is verified", async () => {
  const verdict = await client().verify(server.secret, { permission: "messaging:send", meter: "sms", quantity: "3" });
  assert.deepEqual([verdict.valid, verdict.code, verdict.key_id, verdict.organization], [true, "VALID", server.keyId, server.organization]);
  assert.equal(verdict.cost, credits("0.03"));
  const verdicts = await client().verifyMany([{ key: server.secret }, { key: "sk_live_unknown" }]);
  assert.deepEqual(verdicts.map((verdict) => verdict.code), ["VALID", "NOT_FOUND"]);
});

test("what was held is captured by its event", async () => {
  const { hold, available } = await client().verify(server.secret, { meter: "voice", quantity: 10, hold_seconds: 60 });
  assert.ok(hold != null && available !== null);
  const [result] = await client().sendUsage([{ id: "call-1", key_id: server.keyId, meter: "voice", quantity: 4, hold }]);
  assert.deepEqual([result?.result, result?.credits], ["accepted", credits("0.08")]);
  const after = await client().verify(server.secret, { meter: "voice", quantity: 0 });
  assert.equal(after.available, available + credits("0.2") - credits("0.08"));
});

test("a hold is released", async () => {
  const { hold, available } = await client().verify(server.secret, { meter: "sms", hold_seconds: 60 });
  await client().releaseHold(hold ?? "");
  const after = await client().verify(server.secret, { meter: "sms" });
  assert.equal(after.available, (available ?? 0n) + credits("0.01"));
});

test("a wrong platform key is refused", async () => {
  await assert.rejects(new Client(server.url, "sk_live_wrong").verify(server.secret), (error: Refused) => error.status === 401);
});

test("without an answer it says so", async () => {
  await assert.rejects(nowhere().verify(server.secret), Unreachable);
});

test("a question without a key of its own is not sent twice", async () => {
  const asked: string[] = [];
  await serving(
    (request) => {
      asked.push(request.url ?? "");
      request.socket.destroy();
    },
    async (url) => assert.rejects(new Client(url, "sk_live_any").verify("sk_live_any"), Unreachable),
  );
  assert.equal(asked.length, 1);
});

test("one that holds is sent again, with the same key", async () => {
  const keys = new Set<unknown>();
  await serving(
    (request, response, attempt) => {
      keys.add(request.headers["idempotency-key"]);
      if (attempt === 0) request.socket.destroy();
      else if (attempt === 1) response.writeHead(503).end("<html>");
      else if (attempt === 2) response.writeHead(409).end('{"code": "idempotency_key_in_use"}');
      else response.end('{"valid": true, "code": "VALID", "cost": 0.01}');
    },
    async (url) => {
      const verdict = await new Client(url, "sk_live_any").verify("sk_live_any", { meter: "sms", hold_seconds: 5 });
      assert.equal(verdict.cost, credits("0.01"));
    },
  );
  assert.equal(keys.size, 1);
});

test("an answer of somebody else is none", async () => {
  for (const body of ["[]", "<html>", '"text"']) {
    await serving(
      (_, response) => response.end(body),
      async (url) => assert.rejects(new Client(url, "sk_live_any", { retries: 0 }).verify("sk_live_any"), Unreachable),
    );
  }
});

test("a server that says nothing is left in time", async () => {
  await serving(
    () => undefined,
    async (url) => {
      const impatient = new Client(url, "sk_live_any", { retries: 0, timeout: 50 });
      await assert.rejects(impatient.verify("sk_live_any"), Unreachable);
    },
  );
});
