import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEvent, readEvents } from "../../../../app/web/static/sse.js";

/** A body that arrives in these parts. */
function bodyOf(parts) {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

async function eventsIn(...texts) {
  const events = [];
  for await (const event of readEvents(bodyOf(texts.map((text) => new TextEncoder().encode(text))))) events.push(event);
  return events;
}

test("an event has a name and JSON data", async () => {
  assert.deepEqual(await eventsIn('event: spoke\ndata: {"call": 1, "text": "a"}\n\n'), [
    { event: "spoke", data: { call: 1, text: "a" } },
  ]);
});

test("an event without a name is a message", () => {
  assert.deepEqual(parseEvent("data: 3"), { event: "message", data: 3 });
});

test("a comment that keeps the connection open is no event", async () => {
  assert.equal(parseEvent(": ping"), null);
  assert.deepEqual(await eventsIn(": ping\n\n", "data: 1\n\n", ": ping\n\n"), [{ event: "message", data: 1 }]);
});

test("lines of data belong together", () => {
  assert.deepEqual(parseEvent('data: {"a":\ndata: 1}'), { event: "message", data: { a: 1 } });
});

test("only the first blank after the colon is no part of a value", () => {
  assert.deepEqual(parseEvent('event:  two\ndata:"x: y"'), { event: " two", data: "x: y" });
});

test("lines may end as on Windows, also where a chunk ends in between", async () => {
  const expected = [
    { event: "a", data: 1 },
    { event: "b", data: 2 },
  ];
  assert.deepEqual(await eventsIn("event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n"), expected);
  assert.deepEqual(await eventsIn("event: a\r", "\ndata: 1\r\n\r", "\nevent: b\r\ndata: 2\r\n", "\r\n"), expected);
});

test("the same events come out wherever the stream is cut", async () => {
  const bytes = new TextEncoder().encode('event: spoke\ndata: {"text": "Zürich – 東京 🗻"}\n\ndata: "end"\n\n');
  const expected = [
    { event: "spoke", data: { text: "Zürich – 東京 🗻" } },
    { event: "message", data: "end" },
  ];
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const events = [];
    for await (const event of readEvents(bodyOf([bytes.slice(0, cut), bytes.slice(cut)]))) events.push(event);
    assert.deepEqual(events, expected, `cut at byte ${cut}`);
  }
});

test("an event that is not complete when the stream ends is left out", async () => {
  assert.deepEqual(await eventsIn("data: 1\n\n", "data: 2\n"), [{ event: "message", data: 1 }]);
});

test("a reader that stops early closes the connection", async () => {
  let closed = false;
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel: () => {
      closed = true;
    },
  });
  for await (const { data } of readEvents(body)) {
    assert.equal(data, 1);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(closed, true);
});
