/** JSON without a float between us and an amount, in either direction. */

import { credits, format } from "./credits.js";
import { AMOUNTS } from "./types.js";

// A string, or a number outside of strings.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MARK = "\0"; // in no text of Tollgate's, since PostgreSQL can't store it

export function encode(body: unknown): string {
  return JSON.stringify(body, (name, value: unknown) => {
    if (typeof value === "bigint") return format(value);
    if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`${name}: JSON has no ${value}`);
    return value;
  });
}

/** Amounts are read as `Credits`, other numbers as numbers. Throws a `SyntaxError` for what isn't JSON. */
export function decode(text: string): unknown {
  const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"\\u0000${token}"`));
  return JSON.parse(marked, (name, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith(MARK)) return value;
    return AMOUNTS.has(name) ? credits(value.slice(1)) : Number(value.slice(1));
  });
}
