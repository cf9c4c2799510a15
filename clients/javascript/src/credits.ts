/** Amounts of credits and quantities, exact. JavaScript's numbers can't hold them: 0.1 + 0.2 isn't 0.3. */

/** Billionths of a credit, as a bigint, so that sums are exact. `credits("0.02")` is 20_000_000n. */
export type Credits = bigint;

const DIGITS = 9;
const PLAIN = /^(-?)(\d{1,15})(?:\.(\d{1,9}))?$/;

/** Reads plain digits with up to nine decimals. Throws a `RangeError` for anything else. */
export function credits(text: string): Credits {
  const match = PLAIN.exec(text);
  if (match === null) throw new RangeError(`not an amount with up to nine decimals: ${text}`);
  const [, sign, whole = "", fraction = ""] = match;
  const value = BigInt(whole + fraction.padEnd(DIGITS, "0"));
  return sign ? -value : value;
}

/** The amount as plain digits: what the API reads, and what people read. */
export function format(amount: Credits): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(DIGITS + 1, "0");
  const fraction = digits.slice(-DIGITS).replace(/0+$/, "");
  return (amount < 0n ? "-" : "") + digits.slice(0, -DIGITS) + (fraction && `.${fraction}`);
}
