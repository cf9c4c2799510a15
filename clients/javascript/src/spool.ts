import * as fs from "node:fs";
import * as path from "node:path";

import { encode } from "./json.js";
import type { EventResult, UsageEvent } from "./types.js";

const LINE_END = 10; // "\n"
const FULL = 1 << 20; // bytes after which a file that was sent whole is emptied
const CHUNK = 1 << 22;

/** Events from the front of the queue, and where the rest of it begins. */
export interface Waiting {
  events: UsageEvent[];
  end: number;
}

/**
 * A queue of events in a folder that belongs to one process. When `add` returns, they survive a kill -9 of the process;
 * with `durable` they survive a loss of power too, which costs a flush of the disk each time.
 *
 * `waiting.jsonl` has an event a line, `sent` how many bytes of it Tollgate has acknowledged. If the process dies
 * between an answer and `sent`, the same ids are sent again, and counted once.
 */
export class Spool {
  private readonly waiting: string;
  private readonly sent: string;
  private readonly refused: string;
  private readonly file: number;
  private offset: number;
  private size: number;

  constructor(
    folder: string,
    private readonly options: { durable?: boolean } = {},
  ) {
    fs.mkdirSync(folder, { recursive: true });
    this.lock(path.join(folder, "owner"));
    this.waiting = path.join(folder, "waiting.jsonl");
    this.sent = path.join(folder, "sent");
    this.refused = path.join(folder, "rejected.jsonl");
    this.file = fs.openSync(this.waiting, "a+");
    this.size = this.cutTornLine();
    const sent = Number(read(this.sent));
    this.offset = sent <= this.size ? sent : 0; // an offset beyond the end is of a file that was lost
  }

  /** Writes one event down. It must have its `id` and its `occurred_at`. */
  add(event: UsageEvent): void {
    const line = Buffer.from(`${encode(event)}\n`);
    for (let written = 0; written < line.length; ) written += fs.writeSync(this.file, line, written);
    if (this.options.durable) fs.fdatasyncSync(this.file);
    this.size += line.length;
  }

  /** The events that have waited longest. */
  oldest(limit: number): Waiting {
    const chunk = Buffer.alloc(Math.min(CHUNK, this.size - this.offset));
    fs.readSync(this.file, chunk, 0, chunk.length, this.offset);
    const events: UsageEvent[] = [];
    let end = 0;
    for (let next; events.length < limit && (next = chunk.indexOf(LINE_END, end)) !== -1; end = next + 1) {
      events.push(JSON.parse(chunk.toString("utf8", end, next)) as UsageEvent);
    }
    return { events, end: this.offset + end };
  }

  /** Forgets what was acknowledged. What Tollgate rejected is kept in `rejected.jsonl`, with the reason. */
  settle(batch: Waiting, results: readonly EventResult[]): void {
    const rejected = batch.events.flatMap((event, place) => {
      const result = results[place];
      return result?.result === "rejected" ? [{ event, code: result.code, detail: result.detail }] : [];
    });
    if (rejected.length > 0) fs.appendFileSync(this.refused, rejected.map((row) => `${encode(row)}\n`).join(""));
    this.acknowledge(batch.end);
  }

  isEmpty(): boolean {
    return this.offset === this.size;
  }

  close(): void {
    fs.closeSync(this.file);
    fs.rmSync(path.join(path.dirname(this.waiting), "owner"), { force: true });
  }

  /** A file that was sent whole is emptied. If we die before that, it's sent again, and counted once. */
  private acknowledge(end: number): void {
    const isDone = end === this.size && end >= FULL;
    this.offset = isDone ? 0 : end;
    fs.writeFileSync(`${this.sent}.new`, String(this.offset));
    fs.renameSync(`${this.sent}.new`, this.sent);
    if (isDone) {
      fs.ftruncateSync(this.file);
      this.size = 0;
    }
  }

  /** A process that died while it wrote left half a line. Its `add` never returned. */
  private cutTornLine(): number {
    const size = fs.fstatSync(this.file).size;
    const tail = Buffer.alloc(Math.min(CHUNK, size));
    fs.readSync(this.file, tail, 0, tail.length, size - tail.length);
    const whole = size - tail.length + tail.lastIndexOf(LINE_END) + 1;
    if (whole < size) fs.ftruncateSync(this.file, whole);
    return whole;
  }

  private lock(owner: string): void {
    const holder = read(owner);
    const [pid = ""] = holder.split(" ");
    if (holder !== identity(process.pid) && holder !== "" && holder === identity(Number(pid))) {
      throw new Error(`process ${pid} uses this spool: ${owner}`);
    }
    fs.writeFileSync(owner, identity(process.pid));
  }
}

/** The process's id and when it began, since ids are used again; empty if there's no such process. */
function identity(pid: number): string {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "";
  }
  const began = read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ")[19] ?? ""; // Linux alone says it
  return `${pid} ${began}`;
}

/** The file's text; empty if there's none. */
function read(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}
