// @ts-check
/** The answer card: what was answered, what it rests on, and what it cost. */

import { button, element, fill, icon, signOf } from "./dom.js";
import { clock, count, counted, duration } from "./format.js";

/** @import { Citation, Claim, Finished } from "../wire.js" */
/** @import { Child } from "./dom.js" */

/** @typedef {(citation: Citation, claim?: Claim) => void} Open */

const OWN_MARKS = /\s*\[\d{1,3}\]/g; // that a model wrote itself, of numbers nobody else knows

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
  const sources = citations.map((citation) => element("li", {}, citationButton(citation, open)));
  card.hidden = false;
  card.className = `answer answer-${outcome}`;
  fill(
    card,
    element("h2", { class: "label" }, "Answer"),
    element("p", { class: answer.length > 240 ? "answer-text long" : "answer-text", id: "answer-text" }, answer ? sentences(finished, open) : "No answer was found."),
    element("p", { class: "outcome" }, OUTCOMES[outcome] ?? outcome),
    finished.notices.map((notice) => element("p", { class: "advice" }, notice)),
    sources.length > 0 && element("h3", { class: "label" }, "Sources"),
    sources.length > 0 && element("ul", { class: "citations" }, sources),
    countersLine(finished),
  );
}

/**
 * The answer sentence by sentence, each with the number of its source, and a word where it is not wholly supported.
 * @param {Finished} finished
 * @param {Open} open
 * @returns {Child[]}
 */
function sentences({ answer, claims, citations }, open) {
  const letters = Array.from(answer); // offsets count code points
  /** @type {Child[]} */
  const parts = [];
  let done = 0;
  for (const claim of claims) {
    const citation = citations.find(({ number }) => number === claim.citation);
    parts.push(letters.slice(done, claim.start).join(""));
    parts.push(element("span", { class: "claim", "data-verdict": claim.verdict }, claim.text.replace(OWN_MARKS, "")));
    if (citation) {
      const label = `Source ${citation.number}: ${citation.title || citation.item_id}`;
      parts.push(" ", button(`[${citation.number}]`, () => open(citation, claim), { class: "source-mark", "aria-label": label, title: label }));
    }
    if (claim.verdict !== "supported") parts.push(" ", element("span", { class: "badge badge-warn" }, doubtOf(claim)));
    done = claim.end;
  }
  parts.push(letters.slice(done).join(""));
  return parts;
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
  if (times.length) return times.map((time) => clock((start_s ?? 0) + time)).join(", ");
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
