import { randomUUID } from "node:crypto";

import type { Client } from "./client.js";
import { Refused, TollgateError } from "./errors.js";
import type { Spool, Waiting } from "./spool.js";
import type { EventResult, UsageEvent } from "./types.js";

const BATCH = 1000;
const UNFIT = new Set([400, 413]); // the batch has an event that can't be read, or is too large

/** An event to report. Its id is a new one, and its moment is now, unless they are given. */
export type Report = Omit<UsageEvent, "id"> & { id?: string };

export interface ReporterOptions {
  /** Milliseconds after which an event is sent at the latest. */
  every?: number;
  /** Told what went wrong in the background. What waits is tried again; what was rejected is in the spool. */
  onError?: (error: Error) => void;
}

/**
 * Sends usage from a spool in the background. After a crash between sending and the answer, the same ids are sent
 * again. Tollgate counts each once.
 */
export class Reporter {
  private readonly every: number;
  private readonly onError: (error: Error) => void;
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<number> = Promise.resolve(0);

  constructor(
    private readonly client: Client,
    private readonly spool: Spool,
    { every = 1000, onError = (error) => console.error("tollgate: usage waits:", error.message) }: ReporterOptions = {},
  ) {
    this.every = every;
    this.onError = onError;
    if (!spool.isEmpty()) this.schedule(); // an earlier process left something
  }

  /** Writes one event down, and returns its id. */
  report(event: Report): string {
    const whole: UsageEvent = { id: randomUUID(), occurred_at: new Date().toISOString(), ...event };
    this.spool.add(whole);
    this.schedule();
    return whole.id;
  }

  /** Sends everything that waits. Resolves to how many events Tollgate acknowledged; rejects if some have to wait. */
  flush(): Promise<number> {
    const next = this.sending.catch(() => 0).then(() => this.sendAll());
    this.sending = next;
    return next;
  }

  /** Stops after one more attempt to send. What can't be sent stays in the spool. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.attempt();
    clearTimeout(this.timer);
    this.spool.close();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.attempt();
    }, this.every).unref();
  }

  private async attempt(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.onError(error as Error);
      this.schedule();
    }
  }

  private async sendAll(): Promise<number> {
    let sent = 0;
    for (let batch; (batch = this.spool.oldest(BATCH)).events.length > 0; sent += batch.events.length) {
      this.settle(batch, await this.send(batch.events));
    }
    return sent;
  }

  /** A result for each event. A batch whose content is refused is sent in halves until the bad event is found. */
  private async send(events: UsageEvent[]): Promise<EventResult[]> {
    try {
      return await this.client.sendUsage(events);
    } catch (error) {
      if (!(error instanceof Refused && UNFIT.has(error.status))) throw error;
      if (events.length === 1) return [rejection(events[0] as UsageEvent, error)];
      const middle = events.length >> 1;
      return [...(await this.send(events.slice(0, middle))), ...(await this.send(events.slice(middle)))];
    }
  }

  private settle(batch: Waiting, results: EventResult[]): void {
    this.spool.settle(batch, results);
    for (const result of results) {
      if (result.result === "rejected") this.onError(new TollgateError(`usage rejected: ${result.code} ${result.detail}`));
    }
  }
}

function rejection(event: UsageEvent, refusal: Refused): EventResult {
  return { id: event.id, result: "rejected", credits: 0n, code: refusal.code, detail: refusal.message };
}
