// @ts-check
/** The Library view: every file of the root; only the rows in sight are made, so that thousands of files cost what a page costs. */

import { confirmed } from "./confirm.js";
import { button, byId, element, fill, icon } from "./dom.js";
import { bytes, count, counted } from "./format.js";
import { watchReading } from "./reading.js";
import { address, getJson, messageOf, sendJson } from "./server.js";

/** @import { Source, SourcePage } from "../wire.js" */

const ROW = 64; // pixels, as in library.css
const PAGE = 40; // rows of one request
const BEYOND = 6; // rows that are made above and below what is seen
const TYPING_MS = 200;
const UNITS = /** @type {Record<string, string>} */ ({ pdf: "page", picture: "picture", video: "clip" });

export class LibraryView {
  /**
   * @param {import("./settings.js").Settings} settings takes the files that are to be asked alone
   * @param {() => void} changed called when files were removed or read again
   */
  constructor(settings, changed) {
    this.settings = settings;
    this.changed = changed;
    this.words = byId("library-words", HTMLInputElement);
    this.state = byId("library-state", HTMLSelectElement);
    this.frame = byId("library-frame");
    this.list = element("ul", { class: "library-rows", "aria-label": "Files" });
    fill(this.frame, this.list);
    /** @type {Map<number, Source[]>} */
    this.pages = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {Map<string, Source>} */
    this.chosen = new Map();
    this.total = 0;
    this.turn = 0;
    this.mayChange = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    this.words.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.load(), TYPING_MS);
    });
    byId("library-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.load();
    });
    this.state.addEventListener("change", () => this.load());
    this.frame.addEventListener("scroll", () => this.#rows(), { passive: true });
    new ResizeObserver(() => this.#rows()).observe(this.frame);
  }

  /** Show what the server has now, from the first row. */
  async load() {
    this.turn += 1;
    this.pages.clear();
    this.asked.clear();
    this.frame.scrollTop = 0;
    await this.#fetch(0);
    this.#tools();
  }

  /** @param {number} page */
  async #fetch(page) {
    if (this.asked.has(page)) return;
    this.asked.add(page);
    const turn = this.turn;
    try {
      /** @type {SourcePage} */
      const found = await getJson("/v1/sources", { q: this.words.value.trim(), state: this.state.value, offset: page * PAGE, limit: PAGE });
      if (turn !== this.turn) return;
      this.pages.set(page, found.rows);
      this.total = found.total;
      this.#summary(found);
    } catch (error) {
      if (turn === this.turn) fill(byId("library-summary"), messageOf(error));
    }
    this.#rows();
  }

  /** @param {SourcePage} found */
  #summary({ total, files, unreadable, pending }) {
    const parts = [total === files ? counted(files, "file") : `${count(total)} of ${counted(files, "file")}`];
    if (unreadable) parts.push(`${count(unreadable)} could not be read`);
    if (pending) parts.push("not all of them are searchable yet: add a file, or run vimrag ingest again");
    if (!files) parts.push("drop files anywhere on this page to add them");
    fill(byId("library-summary"), parts.join(" · "));
  }

  #rows() {
    if (this.frame.clientHeight === 0) return;
    this.list.style.height = `${this.total * ROW}px`;
    const first = Math.max(0, Math.floor(this.frame.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.total, Math.ceil((this.frame.scrollTop + this.frame.clientHeight) / ROW) + BEYOND);
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, last - 1) / PAGE); page += 1) this.#fetch(page);
    const made = Array.from(this.list.querySelectorAll("li"));
    const held = new Map(made.map((row) => [row.dataset.at, row]));
    const rows = [];
    for (let at = first; at < last; at += 1) {
      const source = this.pages.get(Math.floor(at / PAGE))?.[at % PAGE];
      const known = held.get(String(at));
      if (source === undefined) continue;
      rows.push(known !== undefined && known.dataset.key === source.key && known.dataset.turn === String(this.turn) ? known : this.#row(source, at));
    }
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    for (const [, row] of held) if (!rows.includes(row) && !row.contains(focused)) row.remove();
    rows.forEach((row, place) => {
      if (this.list.children[place] !== row) this.list.insertBefore(row, this.list.children[place] ?? null);
    });
  }

  /**
   * @param {Source} source
   * @param {number} at
   */
  #row(source, at) {
    const { key, name, folder, state, reason, remarks } = source;
    const isRead = !UNREAD.has(state);
    const box = element("input", { type: "checkbox", "aria-label": `Choose ${folder ? `${folder}/` : ""}${name}`, checked: this.chosen.has(key) });
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.set(key, source);
      else this.chosen.delete(key);
      this.#tools();
    });
    const facts = [
      isRead ? counted(source.items, UNITS[source.kind] ?? "part") : "",
      source.bytes === null ? "" : bytes(source.bytes),
      source.kind,
    ].filter(Boolean);
    const said = reason || remarks.join("; ");
    const row = element(
      "li",
      { class: `source source-${state}`, "data-at": at, "data-key": key, "data-turn": this.turn, "aria-posinset": at + 1, "aria-setsize": this.total, title: source.path },
      box,
      picture(source),
      element(
        "div",
        { class: "source-text" },
        element("p", { class: "source-name" }, element("bdi", {}, name), folder && element("span", { class: "source-folder" }, ` in ${folder}`)),
        element("p", { class: "aside" }, facts.join(" · "), said && element("span", { class: "source-said" }, `${facts.length ? " · " : ""}${said}`)),
      ),
      state !== "ready" && element("span", { class: "badge badge-warn" }, STATES[state] ?? state),
    );
    row.style.top = `${at * ROW}px`;
    return row;
  }

  #tools() {
    const files = [...this.chosen.values()];
    const readable = files.filter(({ state }) => !UNREAD.has(state));
    const act = (/** @type {string} */ path) => () => this.#change(path);
    byId("library-tools").hidden = files.length === 0;
    fill(
      byId("library-tools"),
      element("span", { class: "chosen-count", role: "status" }, counted(files.length, "file"), " chosen"),
      readable.length > 0 && button("Ask only these", () => this.#ask(readable), { class: "strong" }),
      this.mayChange && button("Read again", act("/v1/sources/reread"), { class: "quiet" }),
      this.mayChange && confirmed("Remove", `Really remove ${counted(files.length, "file")}?`, act("/v1/sources/remove"), { class: "quiet" }),
      button("Choose none", () => this.#none(), { class: "quiet" }),
    );
  }

  /** @param {Source[]} files */
  #ask(files) {
    this.settings.askOnly(files.map(({ key, name, folder }) => ({ key, name: folder ? `${folder}/${name}` : name })));
    this.#none();
    location.hash = "#/ask";
  }

  #none() {
    this.chosen.clear();
    for (const box of this.list.querySelectorAll("input")) box.checked = false;
    this.#tools();
  }

  /** @param {string} path */
  async #change(path) {
    const tools = byId("library-tools");
    const files = [...this.chosen.keys()];
    for (const each of tools.querySelectorAll("button")) each.disabled = true;
    const what = path.endsWith("remove") ? "Removing…" : "Reading again…";
    fill(byId("library-summary"), what);
    const stop = watchReading((line) => fill(byId("library-summary"), `${what} ${line}`));
    try {
      await sendJson(path, { files });
      if (path.endsWith("remove")) this.settings.forget(files);
      this.chosen.clear();
      await this.load();
      this.changed();
    } catch (error) {
      this.#tools();
      fill(byId("library-summary"), element("span", { class: "error-line", role: "alert" }, messageOf(error)));
    } finally {
      stop();
    }
  }
}

const UNREAD = new Set(["unreadable", "left_out"]);
const STATES = /** @type {Record<string, string>} */ ({
  changed: "changed since",
  gone: "gone from its place",
  unreadable: "not readable",
  left_out: "left out",
});

/** @param {Source} source */
function picture({ key, kind }) {
  const sign = icon(kind === "video" ? "video" : kind === "pdf" || kind === "picture" ? "image" : "text");
  const place = element("span", { class: "source-picture", "aria-hidden": "true" }, sign);
  if (kind !== "pdf" && kind !== "picture" && kind !== "video") return place;
  const image = element("img", { alt: "", loading: "lazy", decoding: "async", width: 48, height: 48 });
  image.addEventListener("error", () => fill(place, sign));
  image.src = address(`/v1/sources/${encodeURIComponent(key)}/picture`, { width: 96, height: 96 });
  return fill(place, image);
}
