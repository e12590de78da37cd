// @ts-check
/** A page of trajectories as a table, and the way to the other pages. */

import { element, icon } from "./dom.js";
import { count, decimal, signed } from "./format.js";
import { memoryName } from "./settings.js";

/** @import { TrajectoryRow } from "../wire.js" */

const COLUMNS = ["Verdict", "Question and answer", "Dataset", "Memory", "Outcome", "Reward", "Advantage", "Calls", "Tokens"];

/**
 * The rows as a table; `link` gives the address of a row by its number in the file.
 * @param {TrajectoryRow[]} rows
 * @param {(row: number) => string} link
 */
export function rowsTable(rows, link) {
  return element(
    "table",
    {},
    element("caption", { class: "unseen" }, "Trajectories of this file"),
    element("thead", {}, element("tr", {}, COLUMNS.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, rows.map((row) => tableRow(row, link(row.row)))),
  );
}

/**
 * Right, wrong or unscored, as a sign with its word.
 * @param {boolean | null | undefined} correct
 */
export function verdict(correct) {
  const [sign, word] = correct === null || correct === undefined ? ["unscored", "unscored"] : correct ? ["answer", "right"] : ["wrong", "wrong"];
  return element("span", { class: `verdict verdict-${word}` }, icon(sign), word);
}

/**
 * Where the reader is in the list, and links to the pages around.
 * @param {number} total
 * @param {number} offset
 * @param {number} size
 * @param {(start: number) => string} pageAddress gives the address of the page that starts there
 */
export function pager(total, offset, size, pageAddress) {
  const last = Math.min(offset + size, total);
  return element(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    element("span", { class: "range" }, total ? `${count(offset + 1)}–${count(last)} of ${count(total)}` : "0 rows"),
    stepLink("Earlier rows", "back", offset > 0 ? pageAddress(Math.max(offset - size, 0)) : null),
    stepLink("Later rows", "next", last < total ? pageAddress(offset + size) : null),
  );
}

/**
 * A link to what is before or after; without an address only its place is kept.
 * @param {string} label
 * @param {string} sign
 * @param {string | null} href
 */
export function stepLink(label, sign, href) {
  if (href === null) return element("span", { class: "step", "aria-hidden": "true" }, icon(sign));
  return element("a", { class: "step", href, "aria-label": label, title: label }, icon(sign));
}

/**
 * @param {TrajectoryRow} row
 * @param {string} href
 */
function tableRow(row, href) {
  const { counters } = row;
  /** @type {(name: string, ...content: import("./dom.js").Child[]) => HTMLTableCellElement} */
  const cell = (name, ...content) => element("td", { "data-name": name }, ...content);
  const tokens = (counters.prompt_tokens ?? 0) + (counters.completion_tokens ?? 0);
  const rowElement = element(
    "tr",
    {},
    cell("Verdict", verdict(row.correct)),
    element(
      "td",
      { class: "row-question" },
      element("a", { href }, row.question || "no question"),
      element("span", { class: "row-answer" }, row.answer || "no answer"),
      row.correct === false && row.answers.length > 0 && element("span", { class: "expected" }, `expected ${row.answers.join(" / ")}`),
    ),
    cell("Dataset", row.dataset),
    cell("Memory", memoryName(row.memory)),
    cell("Outcome", row.outcome),
    cell("Reward", decimal(row.reward)),
    cell("Advantage", signed(row.advantage)),
    cell("Calls", count(counters.model_calls)),
    cell("Tokens", count(tokens)),
  );
  rowElement.addEventListener("click", (event) => {
    const isLink = event.target instanceof Element && event.target.closest("a") !== null;
    if (!isLink && getSelection()?.isCollapsed) location.hash = href;
  });
  return rowElement;
}
