/** Which rows of a file are listed: by verdict, memory policy, dataset, outcome and words. */

import { element, fill } from "./dom.js";
import { count } from "./format.js";
import { memoryName } from "./settings.js";

const NAMES = ["verdict", "memory", "dataset", "outcome"];
const LABELS = { verdict: "Verdict", memory: "Memory", dataset: "Dataset", outcome: "Outcome" };
const VERDICTS = ["right", "wrong", "unscored"];
const TYPING_MS = 250; // a reader who pauses this long has finished a word

export class Filters {
  /** `change` is called with all filters; its second argument is true while the reader is typing. */
  constructor(change) {
    const listener = { change: () => change(this.values(), false) };
    this.selects = Object.fromEntries(NAMES.map((name) => [name, element("select", { id: `filter-${name}`, on: listener })]));
    this.words = element("input", { type: "search", id: "filter-q", maxlength: "200", placeholder: "words of question or answer" });
    this.words.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => change(this.values(), true), TYPING_MS);
    });
    this.form = element(
      "form",
      { class: "filters", role: "search", "aria-label": "Filter trajectories", on: { submit: (event) => event.preventDefault() } },
      NAMES.map((name) => element("label", { class: "field", for: `filter-${name}` }, `${LABELS[name]} `, this.selects[name])),
      element("label", { class: "field wide", for: "filter-q" }, "Text ", this.words),
    );
  }

  /** What is chosen; empty values choose all. */
  values() {
    const chosen = Object.fromEntries(NAMES.map((name) => [name, this.selects[name].value]));
    return { ...chosen, q: this.words.value.trim() };
  }

  /** Choose what the address says, before the counts are known. */
  show(filters) {
    this.filters = filters;
    for (const name of NAMES) this.#options(name, { [filters[name] ?? ""]: null });
    if (document.activeElement !== this.words) this.words.value = filters.q ?? "";
  }

  /** The values that occur, with how often they do. */
  offer(facets) {
    const verdicts = VERDICTS.filter((word) => facets.verdict[word]).map((word) => [word, facets.verdict[word]]);
    for (const name of NAMES) this.#options(name, name === "verdict" ? Object.fromEntries(verdicts) : facets[name]);
  }

  #options(name, counts) {
    const chosen = this.filters[name] ?? "";
    const found = Object.entries(counts).filter(([value]) => value !== "");
    if (chosen && !(chosen in counts)) found.push([chosen, 0]);
    const options = found.map(([value, number]) =>
      element("option", { value }, number === null ? readable(name, value) : `${readable(name, value)} (${count(number)})`),
    );
    fill(this.selects[name], element("option", { value: "" }, "all"), options);
    this.selects[name].value = chosen;
  }
}

function readable(name, value) {
  return name === "memory" ? memoryName(value) : value;
}
