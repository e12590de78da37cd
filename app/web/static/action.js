// @ts-check
/** What a model wrote, for a reader: its reasoning, and its action as highlighted JSON. */

import { element } from "./dom.js";

const CALL = /<tool_call>\s*([\s\S]*?)\s*(?:<\/tool_call>|$)/;
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b|\b(?:true|false|null)\b/g;

/**
 * A reply in two parts; `action` is null while none has begun.
 * @param {string} reply
 * @returns {{reasoning: string, action: string | null}}
 */
export function splitReply(reply) {
  const call = CALL.exec(reply);
  if (call === null) return { reasoning: reply.trim(), action: null };
  const after = reply.slice(call.index + call[0].length).trim();
  return { reasoning: [reply.slice(0, call.index).trim(), after].filter(Boolean).join("\n"), action: call[1] };
}

/**
 * The exact text of a reply, with its JSON action in colours.
 * @param {string} reply
 */
export function highlighted(reply) {
  const call = CALL.exec(reply);
  if (call === null) return element("pre", { class: "generated" }, reply);
  const start = call.index + call[0].indexOf(call[1]);
  return element(
    "pre",
    { class: "generated" },
    reply.slice(0, start),
    element("span", { class: "json" }, ...coloured(call[1])),
    reply.slice(start + call[1].length),
  );
}

/**
 * An action with a line for each of its parts, as far as it is JSON.
 * @param {string} action
 */
export function actionBlock(action) {
  let text = action;
  try {
    text = JSON.stringify(JSON.parse(action), null, 2);
  } catch {
    // a slip of the model is shown as it is
  }
  return element("pre", { class: "generated json" }, ...coloured(text));
}

/** @param {string} json */
function coloured(json) {
  /** @type {(string | HTMLElement)[]} */
  const parts = [];
  let end = 0;
  for (const match of json.matchAll(TOKENS)) {
    const kind = match[1] === undefined ? "literal" : match[2] === undefined ? "string" : "key";
    parts.push(json.slice(end, match.index));
    parts.push(element("span", { class: `json-${kind}` }, match[1] ?? match[0]), match[2] ?? "");
    end = match.index + match[0].length;
  }
  parts.push(json.slice(end));
  return parts;
}
