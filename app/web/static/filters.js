// @ts-check
/** Which rows of a file are listed: by verdict, memory policy, dataset, outcome and words. */

import { element, fill } from "./dom.js";
import { count } from "./format.js";
import { memoryName } from "./settings.js";

/** @typedef {"verdict" | "memory" | "dataset" | "outcome"} FilterName */

/** @type {FilterName[]} */
const NAMES = ["verdict", "memory", "dataset", "outcome"];
const LABELS = { verdict: "Verdict", memory: "Memory", dataset: "Dataset", outcome: "Outcome" };
const VERDICTS = ["right", "wrong", "unscored"];
const TYPING_MS = 250; // a reader who pauses this long has finished a word

export class Filters {
  /** @param {(filters: Record<string, string>, isTyping: boolean) => void} change called with all filters */
  constructor(change) {
    /** @type {Record<string, string>} */
    this.filters = {};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    const listener = { change: () => change(this.values(), false) };
    const selects = NAMES.map((name) => [name, element("select", { id: `filter-${name}`, on: listener })]);
    this.selects = /** @type {Record<FilterName, HTMLSelectElement>} */ (Object.fromEntries(selects));
    this.words = element("input", { type: "search", id: "filter-q", maxlength: "200", placeholder: "words of question or answer" });
    this.words.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => change(this.values(), true), TYPING_MS);
    });
    this.form = element(
      "form",
      { class: "filters", role: "search", "aria-label": "Filter trajectories", on: { submit: (/** @type {Event} */ event) => event.preventDefault() } },
      NAMES.map((name) => element("label", { class: "field", for: `filter-${name}` }, `${LABELS[name]} `, this.selects[name])),
      element("label", { class: "field wide", for: "filter-q" }, "Text ", this.words),
    );
  }

  /** What is chosen; empty values choose all. */
  values() {
    const chosen = Object.fromEntries(NAMES.map((name) => [name, this.selects[name].value]));
    return { ...chosen, q: this.words.value.trim() };
  }

  /**
   * Choose what the address says, before the counts are known.
   * @param {Record<string, string>} filters
   */
  show(filters) {
    this.filters = filters;
    for (const name of NAMES) this.#options(name, { [filters[name] ?? ""]: null });
    if (document.activeElement !== this.words) this.words.value = filters.q ?? "";
  }

  /**
   * Offer the values that occur, with how often they do.
   * @param {Record<string, Record<string, number>>} facets
   */
  offer(facets) {
    const verdicts = VERDICTS.filter((word) => facets.verdict[word]).map((word) => [word, facets.verdict[word]]);
    for (const name of NAMES) this.#options(name, name === "verdict" ? Object.fromEntries(verdicts) : facets[name]);
  }

  /**
   * @param {FilterName} name
   * @param {Record<string, number | null>} counts
   */
  #options(name, counts) {
    const chosen = this.filters[name] ?? "";
    const entries = Object.entries(counts).filter(([value]) => value !== "");
    if (chosen && !(chosen in counts)) entries.push([chosen, 0]);
    const options = entries.map(([value, number]) =>
      element("option", { value }, number === null ? readable(name, value) : `${readable(name, value)} (${count(number)})`),
    );
    fill(this.selects[name], element("option", { value: "" }, "all"), options);
    this.selects[name].value = chosen;
  }
}

/**
 * @param {FilterName} name
 * @param {string} value
 */
function readable(name, value) {
  return name === "memory" ? memoryName(value) : value;
}
