import { randomUUID } from "node:crypto";

import type { Client } from "./client.js";
import { format, type Credits } from "./credits.js";
import { Refused, TollgateError, Unreachable } from "./errors.js";
import type { TakeLeaseRequest } from "./types.js";

const REFILL = 3n; // tenths of a slice: when less is left, we ask for more
const SMALLEST = 1n; // a lease of nothing is refused
const MARGIN = 0.2; // of the time: when less is left, we extend the lease
const QUIET = 1000; // milliseconds that we don't ask again after a refusal or no answer

/** The lease doesn't cover the call. Nothing is spent. */
export class OutOfCredits extends TollgateError {}

/** Credits set aside for one call. Name `hold` in its usage event. */
export interface Spending {
  readonly hold: string;
  readonly estimate: Credits;
}

export type LeaseTerms = Omit<TakeLeaseRequest, "organization" | "amount" | "minimum">;

/** A request for an extension, or for a new lease if `hold` is missing. It keeps its key until it's answered. */
interface Request {
  hold: string | undefined;
  amount: Credits;
  minimum: Credits;
  at: Moment;
  key: string;
}

/**
 * Spends slices of one organization's credits without asking for each call. It never spends more than it was granted,
 * except for calls that cost more than their estimates, and keeps at most one slice idle beside the estimates of calls
 * in flight. What isn't spent comes back when the lease ends.
 *
 * A slice is spent for `ttl_seconds` unless it's extended. Its usage may arrive for `grace_seconds` more: choose more
 * than a reporter is ever cut off.
 */
export class Lease {
  private readonly ttlSeconds: number;
  private hold: string | undefined;
  private left: Credits = 0n;
  private end = new Moment(-Infinity, -Infinity);
  private renewal = this.end;
  private quietEnd = this.end;
  private unanswered: Request | undefined;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly client: Client,
    private readonly organization: string,
    private readonly slice: Credits,
    private readonly terms: LeaseTerms = {},
  ) {
    this.ttlSeconds = terms.ttl_seconds ?? 60;
  }

  /** Sets `estimate` aside for a call that is about to be made. Waits for Tollgate only if the call isn't covered. */
  async spend(estimate: Credits): Promise<Spending> {
    for (let attempts = 0; attempts < 2; attempts++) {
      const spending = this.spendNow(estimate);
      if (spending) return spending;
      await this.ask(estimate);
    }
    const spending = this.spendNow(estimate);
    if (!spending) throw new OutOfCredits(`${format(estimate)} credits are not there to be spent`);
    return spending;
  }

  /** The same for a caller that can't wait: undefined if what is here doesn't cover the call. */
  spendNow(estimate: Credits): Spending | undefined {
    if (this.hold === undefined || this.left < estimate || this.end.hasPassed()) return undefined;
    this.left -= estimate;
    if (this.isLow() && this.quietEnd.hasPassed()) this.ask(0n).catch(() => undefined); // the next to wait is told
    return { hold: this.hold, estimate };
  }

  /** Say what the call has cost. The rest of the estimate can be spent again. */
  settle(spending: Spending, actual: Credits): void {
    if (spending.hold === this.hold) this.left += spending.estimate - actual;
  }

  /** Gives back what was not spent. Report the usage that was spent from it first: flush the reporter. */
  async close(): Promise<void> {
    await this.asking;
    const hold = this.hold;
    this.hold = undefined;
    this.left = 0n;
    if (hold === undefined) return;
    try {
      await this.client.returnLease(hold);
    } catch (error) {
      if (!(error instanceof Refused && error.code === "hold_resolved")) throw error;
    }
  }

  private isLow(): boolean {
    return this.left * 10n < this.slice * REFILL || this.renewal.hasPassed();
  }

  /** Extends the lease and fills it up, or takes a new one. If that fails, what was granted can still be spent. */
  private ask(estimate: Credits): Promise<void> {
    if (!this.quietEnd.hasPassed()) return Promise.resolve();
    this.asking ??= this.attempt(estimate).finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async attempt(estimate: Credits): Promise<void> {
    const request = this.unanswered ?? this.request(estimate);
    try {
      await this.send(request);
    } catch (error) {
      this.quietEnd = Moment.now().plus(QUIET);
      if (error instanceof Unreachable) this.unanswered = request;
      else if (error instanceof Refused) await this.refused(error, request, estimate);
      else throw error;
    }
  }

  private request(estimate: Credits): Request {
    const wanted = (estimate > this.slice ? estimate : this.slice) - this.left;
    const isShort = (this.left - estimate) * 10n < this.slice * REFILL;
    return {
      hold: this.hold,
      amount: isShort ? wanted : 0n,
      minimum: estimate > this.left ? estimate - this.left : SMALLEST,
      at: Moment.now(),
      key: randomUUID(),
    };
  }

  private async refused(refusal: Refused, request: Request, estimate: Credits): Promise<void> {
    this.unanswered = undefined;
    if (refusal.code === "lease_ended") {
      this.hold = undefined;
      this.left = 0n;
      await this.attempt(estimate); // for a new one, which can't have ended yet
    } else if (request.hold !== undefined && request.amount > 0n) {
      // There are no more credits, so we ask only for more time.
      this.unanswered = { ...request, amount: 0n, at: Moment.now(), key: randomUUID() };
      await this.attempt(estimate);
    }
  }

  private async send({ hold, amount, minimum, at, key }: Request): Promise<void> {
    let granted = amount;
    let next = hold;
    if (next !== undefined) {
      await this.client.extendLease(next, amount, this.ttlSeconds, key);
    } else {
      const terms = { ...this.terms, organization: this.organization, amount, minimum };
      const lease = await this.client.takeLease(terms, key);
      granted = lease.amount;
      next = lease.id;
    }
    this.left = next === this.hold ? this.left + granted : granted;
    this.hold = next;
    this.end = at.plus(this.ttlSeconds * 1000); // by our own clocks, from before the request
    this.renewal = at.plus(this.ttlSeconds * 1000 * (1 - MARGIN));
    this.unanswered = undefined;
  }
}

/**
 * A moment by two clocks. One stands still while the machine sleeps, the other can be set: it has passed when either
 * says so.
 */
class Moment {
  constructor(
    private readonly steady: number,
    private readonly wall: number,
  ) {}

  static now(): Moment {
    return new Moment(performance.now(), Date.now());
  }

  plus(milliseconds: number): Moment {
    return new Moment(this.steady + milliseconds, this.wall + milliseconds);
  }

  hasPassed(): boolean {
    return performance.now() >= this.steady || Date.now() >= this.wall;
  }
}
