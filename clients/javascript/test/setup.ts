/** What the tests are told about the server that they run against, as JSON in TOLLGATE. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "../src/index.js";

export interface Server {
  url: string;
  platformSecret: string;
  /** Has 100 credits. */
  organization: string;
  keyId: string;
  /** Of a key with the permission messaging:send. */
  secret: string;
}

export const server = JSON.parse(process.env.TOLLGATE ?? "{}") as Server;

export const client = () => new Client(server.url, server.platformSecret);

/** Nobody answers there. */
export const nowhere = () => new Client("http://127.0.0.1:9", server.platformSecret, { retries: 0 });

export const folder = () => mkdtempSync(join(tmpdir(), "tollgate-"));
