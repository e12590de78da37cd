// @ts-check
/** The answer card: what was answered, what it rests on, and what it cost. */

import { button, element, fill, icon, signOf } from "./dom.js";
import { clock, count, counted, duration } from "./format.js";
import { richText } from "./rich_text.js";

/** @import { Citation, Claim, Finished } from "../wire.js" */
/** @import { Child } from "./dom.js" */

/** @typedef {(citation: Citation, claim?: Claim) => void} Open */

const SHOWN_TIMES = 3; // of a citation; its panel has all
const SHOWN_SOURCES = 12; // before the reader asks for the rest
const COPIED_MS = 1500;

/** @type {Record<string, string>} */
const OUTCOMES = {
  answered: "answered",
  forced: "answered because the calls ran out",
  abstained: "no answer, even when asked for one",
  failed: "failed",
};

/**
 * Fill `card` with a finished rollout; `open` is called with the citation that the reader picks, and the sentence if it was one's.
 * @param {HTMLElement} card
 * @param {Finished} finished
 * @param {Open} open
 */
export function showAnswer(card, finished, open) {
  const { answer, outcome, citations } = finished;
  const sources = citations.map((citation, at) => element("li", { hidden: at >= SHOWN_SOURCES }, citationButton(citation, open)));
  const more = button(`${citations.length - SHOWN_SOURCES} more sources`, () => {
    for (const source of sources) source.hidden = false;
    more.remove();
  }, { class: "quiet" });
  card.hidden = false;
  card.className = `answer answer-${outcome}`;
  fill(
    card,
    element("div", { class: "section-head" }, element("h2", { class: "label" }, "Answer"), answer && copyButton(answer)),
    element("div", { class: isLong(answer) ? "answer-text long" : "answer-text", id: "answer-text" }, answer ? sentences(finished, open) : "No answer was found."),
    element("p", { class: "outcome" }, OUTCOMES[outcome] ?? outcome),
    finished.notices.map((notice) => element("p", { class: "advice" }, notice)),
    sources.length > 0 && element("h3", { class: "label" }, "Sources"),
    sources.length > 0 && element("ul", { class: "citations" }, sources),
    sources.length > SHOWN_SOURCES && more,
    countersLine(finished),
  );
}

/**
 * The answer sentence by sentence, each with the number of its source, and a word where it is not wholly supported.
 * @param {Finished} finished
 * @param {Open} open
 * @returns {Child[]}
 */
function sentences({ answer, html, claims, citations }, open) {
  if (!html) return [answer];
  const content = richText(html);
  for (const place of content.querySelectorAll(".mark")) {
    const claim = claims[Number(place.getAttribute("data-claim"))];
    if (claim === undefined) continue;
    const citation = citations.find(({ number }) => number === claim.citation);
    if (citation) {
      const label = `Source ${citation.number}: ${citation.title || citation.item_id}`;
      place.append(" ", button(`[${citation.number}]`, () => open(citation, claim), { class: "source-mark", "aria-label": label, title: label }));
    }
    if (claim.verdict !== "supported") place.append(" ", element("span", { class: "badge badge-warn" }, doubtOf(claim)));
  }
  return [content];
}

/**
 * Whether an answer reads better as a text than as a line.
 * @param {string} answer
 */
function isLong(answer) {
  return answer.length > 240 || /\n|\|/.test(answer.trim());
}

/** @param {string} text */
function copyButton(text) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      fill(copy, "Copied");
    } catch {
      fill(copy, "Not allowed here");
    }
    setTimeout(() => fill(copy, "Copy"), COPIED_MS);
  }, { class: "quiet copy" });
  return copy;
}

/** @param {Claim} claim */
function doubtOf({ verdict, missing }) {
  return missing.length ? `${verdict}: ${missing.join(", ")} not found there` : verdict;
}

/**
 * An error in the place of the answer: the server's message, and what helps.
 * @param {HTMLElement} card
 * @param {string} title
 * @param {string} message
 * @param {string} advice
 */
export function showFailure(card, title, message, advice) {
  card.hidden = false;
  card.className = "answer answer-error";
  fill(
    card,
    element("h2", { class: "label" }, icon("rejected"), title),
    element("p", { class: "answer-text long" }, message),
    advice && element("p", { class: "advice" }, advice),
  );
}

/**
 * `page 4`, `1:05, 1:12`: where in its item a citation points.
 * @param {Pick<Citation, "page" | "start_s" | "times_s">} citation
 */
export function placeOf({ page, start_s, times_s }) {
  if (page !== null && page !== undefined) return `page ${page}`;
  const times = times_s ?? [];
  const shown = times.slice(0, SHOWN_TIMES).map((time) => clock((start_s ?? 0) + time)).join(", ");
  if (times.length) return times.length > SHOWN_TIMES ? `${shown} and ${times.length - SHOWN_TIMES} more` : shown;
  return start_s !== null && start_s !== undefined ? clock(start_s) : "";
}

/**
 * @param {Citation} citation
 * @param {Open} open
 */
function citationButton(citation, open) {
  const name = citation.title || citation.item_id;
  const place = placeOf(citation);
  return button(
    [
      element("span", { class: "citation-number" }, `[${citation.number}]`),
      icon(signOf(citation.modality)),
      element("span", { class: "citation-title" }, name),
      place && !name.includes(place) && element("span", { class: "citation-place" }, place),
      element("span", { class: "citation-node" }, citation.node_id),
    ],
    () => open(citation),
    { class: "citation" },
  );
}

/** @param {Finished} finished */
function countersLine({ counters, seconds, cost, tokens_estimated }) {
  const tokens = (counters.prompt_tokens ?? 0) + (counters.completion_tokens ?? 0);
  const facts = [
    counted(counters.model_calls, "call"),
    counted(counters.searches, "search", "searches"),
    `${tokens_estimated ? "about " : ""}${count(tokens)} tokens`,
    counters.visual_tokens ? `${count(counters.visual_tokens)} visual` : "",
    duration(seconds),
    cost === null || cost === undefined ? "" : `cost ${cost.toFixed(4)}`,
  ];
  return element("ul", { class: "counters" }, facts.filter(Boolean).map((fact) => element("li", {}, fact)));
}
