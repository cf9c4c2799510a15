import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import type { Credits } from "./credits.js";
import { Refused, Unreachable } from "./errors.js";
import { decode, encode } from "./json.js";
import type { Batch, EventResult, Lease, Problem, TakeLeaseRequest, UsageEvent, Verdict, VerifyRequest } from "./types.js";

const IN_USE = "idempotency_key_in_use"; // an earlier attempt is still running
const AGAIN = new Set([502, 503, 504]); // safe to repeat: an id or a key makes sure that it counts once
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const PAUSE = 100; // milliseconds, doubled each time

export interface Options {
  /** How often a call that got no answer is repeated, if that is safe. */
  retries?: number;
  /** Milliseconds that one attempt may take. */
  timeout?: number;
}

export type Question = Omit<VerifyRequest, "key">;

interface Repeating {
  /** The same key has one effect, however often it's sent. */
  key?: string;
  /** Without a key: may the call be repeated once it may have arrived? */
  repeatable?: boolean;
}

/**
 * The calls that a gateway makes, with a platform key. A call that gets no answer is repeated, with growing pauses, if
 * repeating it is safe. Throws `Refused` if Tollgate refuses, `Unreachable` if there is no answer.
 */
export class Client {
  private readonly retries: number;
  private readonly timeout: number;
  private readonly url: string;

  constructor(
    url: string,
    private readonly secret: string,
    { retries = 4, timeout = 10_000 }: Options = {},
  ) {
    this.url = url.replace(/\/+$/, "");
    this.retries = retries;
    this.timeout = timeout;
  }

  /** May this key make this call? */
  verify(key: string, question: Question = {}): Promise<Verdict> {
    const body: VerifyRequest = { key, ...question };
    return this.post<Verdict>("/v1/keys/verify", body, repeating([body]));
  }

  /** The verdicts of 1 to 100 calls in one request, in order. */
  async verifyMany(calls: readonly VerifyRequest[]): Promise<Verdict[]> {
    const answer = await this.post<{ results: Verdict[] }>("/v1/keys/verify/batch", { calls }, repeating(calls));
    return answer.results;
  }

  /** Reserves up to `amount` for a gateway. The same `key` returns the same lease. */
  takeLease(terms: TakeLeaseRequest, key: string = randomUUID()): Promise<Lease> {
    return this.post<Lease>("/v1/credits/leases", terms, { key });
  }

  /** Adds `amount`, and lets the lease live for `ttlSeconds` from now. The same `key` extends it only once. */
  extendLease(lease: string, amount: Credits, ttlSeconds: number, key: string = randomUUID()): Promise<Lease> {
    return this.post<Lease>(`/v1/credits/leases/${lease}/extend`, { amount, ttl_seconds: ttlSeconds }, { key });
  }

  returnLease(lease: string): Promise<Lease> {
    return this.post<Lease>(`/v1/credits/leases/${lease}/return`, {}, { key: randomUUID() });
  }

  /** Gives back what a call held, if nothing came of the call. */
  async releaseHold(hold: string): Promise<void> {
    await this.post(`/v1/credits/holds/${hold}/release`, {}, { key: randomUUID() });
  }

  /** Records up to 1,000 events. Resolves to a result for each, in order. An id that is sent again counts once. */
  async sendUsage(events: readonly UsageEvent[]): Promise<EventResult[]> {
    const { results } = await this.post<Batch>("/v1/usage/events", { events }, { repeatable: true });
    if (!Array.isArray(results) || results.length !== events.length) {
      throw new Unreachable("an answer without a result for each event");
    }
    return results;
  }

  private async post<T>(path: string, body: unknown, { key, repeatable = key !== undefined }: Repeating): Promise<T> {
    const content = encode(body);
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= this.retries;
      try {
        const answer = await this.attempt(path, content, key);
        const isRunning = (answer.body as Partial<Problem>).code === IN_USE;
        const isRetried = isRunning || (repeatable && AGAIN.has(answer.status));
        if (last || !isRetried) return judge<T>(answer, isRunning);
      } catch (error) {
        if (error instanceof Refused || error instanceof Unreachable) throw error;
        if (last || !(repeatable || NOT_SENT.has(reason(error)))) throw new Unreachable(reason(error), { cause: error });
      }
      await pause(PAUSE * 2 ** attempt);
    }
  }

  private async attempt(path: string, content: string, key: string | undefined): Promise<Answer> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.secret}`, "Content-Type": "application/json" };
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const signal = AbortSignal.timeout(this.timeout);
    const response = await fetch(this.url + path, { method: "POST", body: content, headers, signal, redirect: "error" });
    return { status: response.status, body: parse(response.status, await response.text()) };
  }
}

interface Answer {
  status: number;
  body: object;
}

/** A call that holds credits gets a key, so it may be repeated. Others count in rate limits and aren't repeated. */
function repeating(calls: readonly VerifyRequest[]): Repeating {
  return calls.some((call) => call.hold_seconds) ? { key: randomUUID() } : { repeatable: false };
}

function parse(status: number, text: string): object {
  let body: unknown;
  try {
    body = decode(text);
  } catch (error) {
    if (AGAIN.has(status)) return {}; // a proxy in front says that Tollgate doesn't answer
    throw new Unreachable(`${status}, and no JSON`, { cause: error });
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Unreachable(`${status}, and no JSON object`);
  return body;
}

function judge<T>({ status, body }: Answer, isRunning: boolean): T {
  const problem = body as Partial<Problem>;
  if (status >= 500 || isRunning) throw new Unreachable(`${status}: ${problem.detail ?? ""}`);
  if (status >= 400) throw new Refused(status, problem);
  return body as T;
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return (cause as { code?: string }).code ?? String(cause);
}
