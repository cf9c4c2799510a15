/** The gate in front of Express and Fastify, both real, and what they report. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import express from "express";
import fastify from "fastify";

import { gate as gateForExpress } from "../src/express.js";
import { gate as gateForFastify } from "../src/fastify.js";
import { Reporter, Spool, type Passage, type Rule } from "../src/index.js";
import { client, folder, nowhere, server } from "./setup.js";

const place = folder();
const reporter = new Reporter(client(), new Spool(place), { every: 1e6 });
const reported: Record<string, unknown>[] = [];
reporter.report = ((report) => (event: Parameters<typeof report>[0]) => {
  reported.push(event);
  return report.call(reporter, event);
})(reporter.report);
const rule: Rule = { permission: "messaging:send", meter: "sms", hold_seconds: 60 };
const options = { client: client(), reporter, rule: ({ url }: { url?: string | undefined }) => (url === "/health" ? null : rule) };

const passage = (request: object) => (request as { tollgate?: Passage }).tollgate;

function overExpress(): ReturnType<typeof createServer> {
  const app = express();
  app.use(gateForExpress(options));
  app.get("/health", (_, response) => void response.send("up"));
  app.get("/messages/:id", (request, response) => void response.status(201).json({ for: passage(request)?.verdict?.organization }));
  return createServer(app);
}

async function overFastify(): Promise<ReturnType<typeof createServer>> {
  const app = fastify();
  gateForFastify(app, options);
  app.get("/health", () => "up");
  app.get("/messages/:id", (request, reply) => reply.code(201).send({ for: passage(request)?.verdict?.organization }));
  await app.ready();
  return app.server;
}

for (const [name, make] of [["Express", overExpress], ["Fastify", overFastify]] as const) {
  test(name, async () => {
    const http = await make();
    http.listen(0, "127.0.0.1").unref();
    await once(http, "listening");
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    reported.length = 0;

    assert.equal((await fetch(`${url}/health`)).status, 200);
    for (const headers of [{ "X-Api-Key": server.secret }, { Authorization: `Bearer ${server.secret}` }]) {
      const passed = await fetch(`${url}/messages/17?x=1`, { headers });
      assert.equal(passed.status, 201);
      assert.deepEqual(await passed.json(), { for: server.organization });
    }
    const refused = await fetch(`${url}/messages/17`, { headers: { "X-Api-Key": "sk_live_unknown" } });
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.match(refused.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.equal(((await refused.json()) as { code: string }).code, "not_found");
    assert.equal((await fetch(`${url}/messages/17`)).status, 401);
    const missing = await fetch(`${url}/elsewhere`, { headers: { "X-Api-Key": server.secret } });
    assert.equal(missing.status, 404);

    await new Promise((go) => setTimeout(go, 50));
    assert.deepEqual(reported.map(({ endpoint, status, key_id }) => [endpoint, status, key_id]), [
      ["/messages/:id", "201", server.keyId],
      ["/messages/:id", "201", server.keyId],
      ["/elsewhere", "404", server.keyId],
    ]);
    assert.ok(reported.every(({ hold }) => typeof hold === "string"));
    http.closeAllConnections();
    http.close();
  });
}

for (const [decision, status] of [["refuse", 503], ["serve", 200]] as const) {
  test(`when Tollgate doesn't answer: ${decision}`, async () => {
    const app = express();
    app.use(gateForExpress({ client: nowhere(), rule, whenUnreachable: decision }));
    app.get("/", (_, response) => void response.send("served"));
    const http = createServer(app).listen(0, "127.0.0.1");
    await once(http, "listening");
    const answer = await fetch(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`, { headers: { "X-Api-Key": server.secret } });
    assert.equal(answer.status, status);
    http.closeAllConnections();
    http.close();
  });
}

after(async () => {
  await reporter.flush();
  await reporter.close();
});
