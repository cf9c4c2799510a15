export { Client, type Options, type Question } from "./client.js";
export { credits, format, type Credits } from "./credits.js";
export { Refused, TollgateError, Unreachable } from "./errors.js";
export type { GateOptions, Passage, Rule } from "./gate.js";
export { Lease, OutOfCredits, type LeaseTerms, type Spending } from "./leases.js";
export { Reporter, type Report, type ReporterOptions } from "./reporter.js";
export { Spool } from "./spool.js";
export { NotSigned, verifyWebhook } from "./webhooks.js";
export type * from "./types.js";
