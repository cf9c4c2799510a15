/** The same vectors as the Python client's: amounts, answers, webhooks. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { credits, format, NotSigned, verifyWebhook } from "../src/index.js";
import { decode, encode } from "../src/json.js";

interface Vectors {
  amounts: string[];
  answers: { text: string; amounts: Record<string, string>; code: string; detail: string }[];
  webhooks: {
    body: string;
    now: number;
    cases: { what: string; body?: string; now?: number; headers: Record<string, string>; secrets: string[]; signed: boolean }[];
  };
}

const vectors = JSON.parse(readFileSync(new URL("../../../vectors.json", import.meta.url), "utf8")) as Vectors;

test("amounts are exact", () => {
  for (const text of vectors.amounts) {
    assert.equal(format(credits(text)), text);
    assert.equal(encode({ amount: credits(text) }), `{"amount":"${text}"}`);
  }
  assert.equal(credits("0.1") + credits("0.2"), credits("0.3"));
});

test("what is no amount is refused", () => {
  for (const text of ["", ".5", "1.", "1e3", "0.0000000001", "NaN", "1 ", "٣"]) {
    assert.throws(() => credits(text), RangeError, text);
  }
  assert.throws(() => encode({ quantity: NaN }), RangeError);
});

test("answers are read without a float", () => {
  for (const answer of vectors.answers) {
    const body = decode(answer.text) as Record<string, unknown>;
    for (const [name, text] of Object.entries(answer.amounts)) assert.equal(body[name], credits(text), name);
    assert.deepEqual([body.code, body.detail], [answer.code, answer.detail]);
  }
});

test("webhooks", () => {
  const { body, now, cases } = vectors.webhooks;
  for (const { what, headers, secrets, signed, ...other } of cases) {
    const verify = () => verifyWebhook(other.body ?? body, headers, secrets, new Date((other.now ?? now) * 1000));
    if (signed) assert.deepEqual(verify(), JSON.parse(body), what);
    else assert.throws(verify, NotSigned, what);
  }
});
