/** The settings beside the question: memory policy, call limit, datasets; kept in step with the server's status. */

import { byId, element, fill } from "./dom.js";
import { count } from "./format.js";

const MEMORIES = {
  vimrag: "VimRAG graph",
  vimrag_equal: "VimRAG, equal pixels",
  vimrag_text: "VimRAG, text only",
  vimrag_fixed: "VimRAG, as trained",
  react: "ReAct history",
  mem1: "Mem1 state",
  memagent: "MemAgent text",
  videorag: "VideoRAG",
  universalrag: "UniversalRAG",
  vanilla: "One search",
  closed_book: "No search",
};

/** The readable name of a memory policy. */
export function memoryName(memory) {
  return MEMORIES[memory] ?? memory.replaceAll("_", " ");
}

export class Settings {
  constructor() {
    this.isBlocked = true;
    byId("scope-choices").addEventListener("change", () => this.#summarise());
  }

  /** What the server offers now. */
  offer(status) {
    const select = byId("memory");
    const chosen = select.value;
    fill(select, status.memory.map((name) => element("option", { value: name }, memoryName(name))));
    if (status.memory.includes(chosen)) select.value = chosen;
    byId("calls").placeholder = String(status.limits?.calls ?? 20);
    this.#offerDatasets(Object.entries(status.index?.datasets ?? {}));
    this.isBlocked = !status.model || !status.index;
    byId("send").disabled = this.isBlocked;
    byId("add-files").hidden = !status.upload;
  }

  /** The part of a request that the settings decide. */
  values() {
    const calls = byId("calls").valueAsNumber;
    const chosen = this.#chosen();
    const isAll = chosen.length === 0 || chosen.length === this.#boxes().length;
    return { memory: byId("memory").value, calls: Number.isNaN(calls) ? null : calls, datasets: isAll ? null : chosen };
  }

  #offerDatasets(datasets) {
    const chosen = new Set(this.#chosen());
    byId("scope").hidden = datasets.length < 2;
    const legend = byId("scope-choices").querySelector("legend");
    fill(
      byId("scope-choices"),
      legend,
      datasets.map(([name, items]) =>
        element(
          "label",
          {},
          element("input", { type: "checkbox", value: name, checked: chosen.has(name) }),
          ` ${name} `,
          element("span", { class: "aside" }, count(items)),
        ),
      ),
    );
    this.#summarise();
  }

  #boxes() {
    return [...byId("scope-choices").querySelectorAll("input")];
  }

  #chosen() {
    return this.#boxes().filter((box) => box.checked).map((box) => box.value);
  }

  #summarise() {
    const chosen = this.#chosen();
    const all = chosen.length === 0 || chosen.length === this.#boxes().length;
    fill(byId("scope-summary"), all ? "All datasets" : chosen.length === 1 ? chosen[0] : `${chosen.length} datasets`);
  }
}
