import { createHmac, timingSafeEqual } from "node:crypto";

import { TollgateError } from "./errors.js";

const TOLERANCE = 300; // seconds that a clock may differ
const PREFIX = "whsec_";

/** The request isn't from Tollgate, or is too old. Answer it with 400. */
export class NotSigned extends TollgateError {}

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Returns the event of a webhook, after checking its signature (Standard Webhooks). `body` is exactly what arrived, not
 * parsed and written again. During a rotation, give both secrets. Throws `NotSigned`.
 */
export function verifyWebhook<Event = unknown>(
  body: string | Uint8Array,
  headers: Headers,
  secrets: string | readonly string[],
  now: Date = new Date(),
): Event {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    one(headers, name),
  ) as [string, string, string];
  if (!/^\d{1,12}$/.test(timestamp)) throw new NotSigned("webhook-timestamp is no number of seconds");
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > TOLERANCE) throw new NotSigned("the timestamp is not of now");
  const presented = signatures.split(" ").flatMap((part) => (part.startsWith("v1,") ? [part.slice(3)] : []));
  const expected = [secrets].flat().map((secret) => sign(secret, id, timestamp, body));
  if (!presented.some((signature) => expected.some((digest) => isEqual(signature, digest)))) {
    throw new NotSigned("no signature fits");
  }
  return JSON.parse(typeof body === "string" ? body : Buffer.from(body).toString("utf8")) as Event;
}

function sign(secret: string, id: string, timestamp: string, body: string | Uint8Array): Buffer {
  const key = Buffer.from(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret, "base64");
  return createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
}

function isEqual(signature: string, digest: Buffer): boolean {
  const presented = Buffer.from(signature, "base64");
  return presented.length === digest.length && timingSafeEqual(presented, digest);
}

function one(headers: Headers, name: string): string {
  const key = Object.keys(headers).find((key) => key.toLowerCase() === name);
  const value = key === undefined ? undefined : headers[key];
  if (typeof value !== "string" || value === "") throw new NotSigned(`${name} is missing`);
  return value;
}
