// What the page says of a file that the server reads.

import assert from "node:assert/strict";
import test from "node:test";

import { stageLine } from "../../../../app/web/static/reading.js";

test("a stage says how far it is and, once that can be told, how long it takes", () => {
  assert.equal(stageLine({ stage: "minutes of sound heard", done: 0, total: 60, seconds: 4 }), "minutes of sound heard: 0 of 60");
  assert.equal(stageLine({ stage: "minutes of sound heard", done: 15, total: 60, seconds: 200 }), "minutes of sound heard: 15 of 60, about 10 min 0 s left");
  assert.equal(stageLine({ stage: "embed", done: 60, total: 60, seconds: 9 }), "embedded for search: 60 of 60");
  assert.equal(stageLine({ stage: "documents: write", done: 1200, total: null, seconds: 1 }), "write: 1,200");
});
