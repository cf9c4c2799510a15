/** The gate in front of a Node server: what the middlewares for Express and Fastify have in common. */

import type { IncomingHttpHeaders, ServerResponse } from "node:http";

import type { Client, Question } from "./client.js";
import { Unreachable } from "./errors.js";
import type { Report, Reporter } from "./reporter.js";
import type { Code, Problem, Verdict } from "./types.js";

/** What a request needs and costs. */
export type Rule = Pick<Question, "permission" | "meter" | "quantity" | "hold_seconds">;

export interface GateOptions<Request> {
  client: Client;
  /** What the request needs and costs; null for a request that needs no key. */
  rule: Rule | ((request: Request) => Rule | null);
  /** Reports what was served. Without it, nothing is metered. */
  reporter?: Reporter;
  /** Where the request came from, for keys with `allowed_cidrs`. Behind a proxy, tell the framework to trust it. */
  ip?: (request: Request) => string | undefined;
  /** If Tollgate doesn't answer, requests are refused with 503; `"serve"` lets them pass, unmetered. */
  whenUnreachable?: "refuse" | "serve";
}

/** What a request may do, for handlers; undefined if it needs no key, or passed while Tollgate didn't answer. */
export interface Passage {
  verdict: Verdict | undefined;
  rule: Rule;
}

/** A refusal for the customer: a problem document and its status. */
export interface Refusal {
  status: number;
  problem: Omit<Problem, "request_id">;
}

const REFUSALS: Record<Exclude<Code, "VALID">, [status: number, detail: string]> = {
  NOT_FOUND: [401, "The API key is missing or unknown."],
  REVOKED: [401, "The API key is revoked."],
  EXPIRED: [401, "The API key is expired."],
  DISABLED: [401, "The API key is disabled."],
  IP_NOT_ALLOWED: [403, "This API key may not be used from this address."],
  INSUFFICIENT_PERMISSIONS: [403, "This API key lacks the permission."],
  ORGANIZATION_SUSPENDED: [403, "The organization is suspended."],
  RATE_LIMITED: [429, "Too many requests with this API key. Try again later."],
  BUDGET_EXCEEDED: [402, "The budget does not allow this."],
  INSUFFICIENT_CREDITS: [402, "There are not enough credits."],
};

const TITLES: Record<number, string> = {
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

/** Asks about a request. Resolves to its passage, or to a refusal. */
export async function ask<Request>(
  options: GateOptions<Request>,
  request: Request,
  headers: IncomingHttpHeaders,
): Promise<Passage | Refusal | undefined> {
  const rule = typeof options.rule === "function" ? options.rule(request) : options.rule;
  if (rule === null) return undefined;
  const secret = keyOf(headers);
  if (secret === "") return refuse("NOT_FOUND");
  const ip = options.ip?.(request);
  try {
    const verdict = await options.client.verify(secret, { ...rule, ...(ip !== undefined && { ip }) });
    return verdict.code === "VALID" ? { verdict, rule } : refuse(verdict.code);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    if (options.whenUnreachable === "serve") return { verdict: undefined, rule };
    return problem(503, "unavailable", "The request can't be checked now. Try again later.");
  }
}

/** Reports what was served. A response that the customer didn't wait for has the status 499, as nginx calls it. */
export function report(
  reporter: Reporter | undefined,
  passage: Passage,
  endpoint: string,
  response: ServerResponse,
): void {
  const { verdict, rule } = passage;
  if (reporter === undefined || verdict?.key_id == null || rule.meter == null) return;
  const status = String(response.writableFinished ? response.statusCode : 499);
  const event: Report = { key_id: verdict.key_id, meter: rule.meter, endpoint, status };
  if (rule.quantity !== undefined) event.quantity = rule.quantity;
  if (verdict.hold != null) event.hold = verdict.hold;
  reporter.report(event);
}

export function isRefusal(answer: Passage | Refusal): answer is Refusal {
  return "problem" in answer;
}

/** The customer's key: in `X-Api-Key`, or as the bearer. */
function keyOf(headers: IncomingHttpHeaders): string {
  const header = headers["x-api-key"];
  if (typeof header === "string" && header !== "") return header;
  return /^bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
}

function refuse(code: Exclude<Code, "VALID">): Refusal {
  const [status, detail] = REFUSALS[code];
  return problem(status, code.toLowerCase(), detail);
}

function problem(status: number, code: string, detail: string): Refusal {
  const title = TITLES[status] ?? "";
  return { status, problem: { type: "about:blank", title, status, detail, code } };
}
