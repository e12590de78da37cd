// @ts-check
/** The answer card: what was answered, what it rests on, and what it cost. */

import { button, element, fill, icon, signOf } from "./dom.js";
import { clock, count, counted, duration } from "./format.js";

/** @import { Citation, Finished } from "../wire.js" */

/** @type {Record<string, string>} */
const OUTCOMES = {
  answered: "answered",
  forced: "answered because the calls ran out",
  abstained: "no answer, even when asked for one",
  failed: "failed",
};

/**
 * Fill `card` with a finished rollout; `open` is called with the citation that the reader picks.
 * @param {HTMLElement} card
 * @param {Finished} finished
 * @param {(citation: Citation) => void} open
 */
export function showAnswer(card, finished, open) {
  const { answer, outcome, citations } = finished;
  const sources = citations.map((citation) => element("li", {}, citationButton(citation, open)));
  card.hidden = false;
  card.className = `answer answer-${outcome}`;
  fill(
    card,
    element("h2", { class: "label" }, "Answer"),
    element("p", { class: answer.length > 240 ? "answer-text long" : "answer-text", id: "answer-text" }, answer || "No answer was found."),
    element("p", { class: "outcome" }, OUTCOMES[outcome] ?? outcome),
    finished.notices.map((notice) => element("p", { class: "advice" }, notice)),
    sources.length > 0 && element("h3", { class: "label" }, "Sources"),
    sources.length > 0 && element("ul", { class: "citations" }, sources),
    countersLine(finished),
  );
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
 * @param {(citation: Citation) => void} open
 */
function citationButton(citation, open) {
  const name = citation.title || citation.item_id;
  const place = placeOf(citation);
  return button(
    [
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
