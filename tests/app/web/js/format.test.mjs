import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, clock, count, counted, decimal, duration, shownSize, signed } from "../../../../app/web/static/format.js";
import { address, errorOf } from "../../../../app/web/static/server.js";

test("numbers are grouped by thousands, and what is not known is a dash", () => {
  assert.equal(count(12345), "12,345");
  assert.equal(count(0), "0");
  assert.equal(count(null), "–");
  assert.equal(decimal(0.456), "0.46");
  assert.equal(decimal(undefined), "–");
});

test("one thing is named in the singular", () => {
  assert.equal(counted(1, "item"), "1 item");
  assert.equal(counted(0, "item"), "0 items");
  assert.equal(counted(2, "search", "searches"), "2 searches");
});

test("a time is read off a clock, with tenths only where there are any", () => {
  assert.equal(clock(7), "0:07");
  assert.equal(clock(750.5), "12:30.5");
  assert.equal(clock(3723), "1:02:03");
  assert.equal(clock(59.96), "1:00");
});

test("a duration is in seconds below a minute", () => {
  assert.equal(duration(8.42), "8.4 s");
  assert.equal(duration(125), "2 min 5 s");
});

test("sizes have two digits at least and three at most", () => {
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(3_400_000), "3.4 MB");
  assert.equal(bytes(9_960), "10 kB");
  assert.equal(bytes(250_000_000_000_000), "250 TB");
});

test("a size as shown counts whole tokens of 1,024 pixels", () => {
  assert.equal(shownSize(640, 480), "640 × 480 px · 300 tokens");
  assert.equal(shownSize(32, 63), "32 × 63 px · 1 token");
});

test("an advantage carries its sign, and none at zero", () => {
  assert.equal(signed(0.5), "+0.50");
  assert.equal(signed(-1.234), "−1.23");
  assert.equal(signed(0), "0.00");
  assert.equal(signed(null), "–");
});

test("an address leaves out what is empty and escapes the rest", () => {
  assert.equal(address("/v1/media", { item: "a/b&c", t: null, width: 0 }), "/v1/media?item=a%2Fb%26c&width=0");
  assert.equal(address("/v1/status", { q: "", x: undefined }), "/v1/status");
});

test("an error keeps the server's words, and has some where the body is none of ours", () => {
  const { status, code, message } = errorOf(429, '{"error": {"code": "busy", "message": "later"}}');
  assert.deepEqual([status, code, message], [429, "busy", "later"]);
  assert.equal(errorOf(502, "<html>").message, "The server answered with status 502.");
});
