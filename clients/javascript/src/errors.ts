/** What can go wrong between a gateway and Tollgate. */

import type { Problem } from "./types.js";

export class TollgateError extends Error {
  override name = this.constructor.name;
}

/** No answer that says what was done, after all retries: 5xx, a timeout or a broken connection. */
export class Unreachable extends TollgateError {}

/** Tollgate understood and refused. `code` is stable; `problem` is the whole problem document. */
export class Refused extends TollgateError {
  readonly code: string;

  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? problem.title ?? String(status));
    this.code = problem.code ?? "";
  }
}
