// @ts-check
/** The settings beside the question: memory policy, call limit, datasets; kept in step with the server's status. */

import { button, byId, element, fill } from "./dom.js";
import { count } from "./format.js";

/** @import { AskRequest, ServerStatus } from "../wire.js" */

/** @type {Record<string, string>} */
const MEMORIES = {
  vimrag: "VimRAG graph",
  vimrag_equal: "VimRAG, equal pixels",
  vimrag_text: "VimRAG, text only",
  vimrag_fixed: "VimRAG, as trained",
  vimrag_by_picture: "VimRAG, searching by picture too",
  react: "ReAct history",
  mem1: "Mem1 state",
  memagent: "MemAgent text",
  videorag: "VideoRAG",
  universalrag: "UniversalRAG",
  vanilla: "One search",
  closed_book: "No search",
};

/**
 * The readable name of a memory policy.
 * @param {string} memory
 */
export function memoryName(memory) {
  return MEMORIES[memory] ?? memory.replaceAll("_", " ");
}

const FILES = "vimrag.files"; // of this tab: what is asked alone

/** @typedef {{key: string, name: string}} ScopeFile */

export class Settings {
  constructor() {
    this.isBlocked = true;
    this.memory = byId("memory", HTMLSelectElement);
    this.calls = byId("calls", HTMLInputElement);
    this.silence = byId("silence", HTMLInputElement);
    byId("scope-choices").addEventListener("change", () => this.#summarise());
    /** @type {ScopeFile[]} */
    this.files = storedFiles();
    this.#showFiles();
  }

  /**
   * Ask these files and no other, until the reader takes it back; none asks all.
   * @param {ScopeFile[]} files
   */
  askOnly(files) {
    this.files = files;
    sessionStorage.setItem(FILES, JSON.stringify(files));
    this.#showFiles();
  }

  /** @param {string[]} keys of files that were removed */
  forget(keys) {
    this.askOnly(this.files.filter(({ key }) => !keys.includes(key)));
  }

  #showFiles() {
    const place = byId("scope-files");
    const [first] = this.files;
    place.hidden = first === undefined;
    if (first === undefined) return;
    const what = this.files.length === 1 ? first.name : `${this.files.length} files`;
    const names = this.files.map(({ name }) => name).join("\n");
    fill(place, element("span", { title: names }, "Only in ", element("strong", {}, element("bdi", {}, what))), button("Ask all files", () => this.askOnly([]), { class: "quiet" }));
  }

  /**
   * Offer what the server has now.
   * @param {ServerStatus} status
   */
  offer(status) {
    const chosen = this.memory.value;
    fill(this.memory, status.memory.map((name) => element("option", { value: name }, memoryName(name))));
    if (status.memory.includes(chosen)) this.memory.value = chosen;
    this.calls.placeholder = String(status.limits?.calls ?? 20);
    this.silence.placeholder = String(status.limits?.question_seconds ?? 600);
    this.#offerDatasets(Object.entries(status.index?.datasets ?? {}));
    this.isBlocked = !status.model || !status.index;
    byId("send", HTMLButtonElement).disabled = this.isBlocked;
    byId("add-files").hidden = !status.upload;
  }

  /**
   * The part of a request that the settings decide.
   * @returns {Omit<AskRequest, "question" | "conversation">}
   */
  values() {
    const calls = this.calls.valueAsNumber;
    const chosen = this.#chosen();
    const isAll = chosen.length === 0 || chosen.length === this.#boxes().length;
    const silence = this.silence.valueAsNumber;
    return {
      memory: this.memory.value,
      calls: Number.isNaN(calls) ? null : calls,
      datasets: isAll ? null : chosen,
      timeout_s: Number.isNaN(silence) ? null : silence,
      files: this.files.length ? this.files.map(({ key }) => key) : null,
    };
  }

  /** @param {[name: string, items: number][]} datasets */
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
    return Array.from(byId("scope-choices").querySelectorAll("input"));
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

/** @returns {ScopeFile[]} */
function storedFiles() {
  try {
    return JSON.parse(sessionStorage.getItem(FILES) ?? "[]");
  } catch {
    return [];
  }
}
