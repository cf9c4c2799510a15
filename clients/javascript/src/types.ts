/** What a gateway sends and gets. Written from the OpenAPI document by generate_types.py. */

import type { Credits } from "./credits.js";

/** Members of answers that are amounts. */
export const AMOUNTS: ReadonlySet<string> = new Set(["amount", "available", "captured", "cost", "credits", "minimum"]);

export type Code = "VALID" | "NOT_FOUND" | "REVOKED" | "EXPIRED" | "DISABLED" | "IP_NOT_ALLOWED" | "INSUFFICIENT_PERMISSIONS" | "ORGANIZATION_SUSPENDED" | "RATE_LIMITED" | "BUDGET_EXCEEDED" | "INSUFFICIENT_CREDITS";

export type Result = "accepted" | "duplicate" | "rejected";

export type HoldStatus = "open" | "captured" | "released" | "expired";

export interface VerifyRequest {
  key: string;
  permission?: string | null;
  meter?: string | null;
  quantity?: number | string;
  ip?: string | null;
  hold_seconds?: number | null;
}

export interface Verdict {
  valid: boolean;
  code: Code;
  key_id: string | null;
  organization: string | null;
  permissions: string[];
  expires_at: string | null;
  cost: Credits;
  available: Credits | null;
  hold?: string | null;
}

export interface UsageEvent {
  quantity?: number | string;
  endpoint?: string;
  status?: string;
  hold?: string;
  id: string;
  key_id?: string;
  organization?: string;
  meter: string;
  occurred_at?: string;
  properties?: Record<string, unknown>;
}

export interface EventResult {
  id: string | null;
  result: Result;
  credits: Credits;
  code?: string;
  detail?: string;
}

export interface Batch {
  accepted: number;
  duplicate: number;
  rejected: number;
  credits: Credits;
  results: EventResult[];
}

export interface TakeLeaseRequest {
  currency?: string;
  organization?: string;
  key_id?: string | null;
  amount: Credits;
  minimum?: Credits;
  ttl_seconds?: number;
  grace_seconds?: number;
  reference?: string;
}

export interface ExtendLeaseRequest {
  currency?: string;
  amount?: Credits;
  ttl_seconds?: number;
}

export interface Lease {
  id: string;
  status: HoldStatus;
  amount: Credits;
  captured: Credits;
  spend_until: string | null;
  expires_at: string;
  organization: string;
  key_id: string | null;
  reference: string;
  created_at: string;
}

export interface FieldError {
  pointer: string;
  detail: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  errors?: FieldError[];
}
