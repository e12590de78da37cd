// @ts-check
/** The History view: conversations that were kept; searched, opened, exported, deleted. */

import { confirmed } from "./confirm.js";
import { button, byId, element, fill } from "./dom.js";
import { counted } from "./format.js";
import { hashOf } from "./route.js";
import { address, getJson, messageOf, remove } from "./server.js";

/** @import { ConversationLine, ConversationPage } from "../wire.js" */

const PAGE = 50;
const TYPING_MS = 200;
const FORMS = { md: "Markdown", html: "Page with pictures", json: "JSON" };

export class ConversationsView {
  /** @param {(id: string) => void} deleted called for a conversation that is no more */
  constructor(deleted) {
    this.deleted = deleted;
    this.words = byId("history-words", HTMLInputElement);
    this.list = byId("conversations");
    /** @type {ConversationLine[]} */
    this.rows = [];
    this.turn = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    this.words.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.load(), TYPING_MS);
    });
    byId("history-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.load();
    });
  }

  async load() {
    this.rows = [];
    await this.#more();
  }

  async #more() {
    const turn = ++this.turn;
    try {
      /** @type {ConversationPage} */
      const page = await getJson("/v1/conversations", { q: this.words.value.trim(), offset: this.rows.length, limit: PAGE });
      if (turn !== this.turn) return;
      this.rows.push(...page.rows);
      this.#show(page.total);
    } catch (error) {
      if (turn === this.turn) fill(this.list, element("p", { class: "error-line", role: "alert" }, messageOf(error)));
    }
  }

  /** @param {number} total */
  #show(total) {
    const none = this.words.value.trim() ? "No conversation holds these words." : "What you ask is kept here.";
    fill(
      this.list,
      this.rows.length ? element("ul", { class: "conversation-list" }, this.rows.map((row) => this.#line(row))) : element("p", { class: "aside" }, none),
      total > this.rows.length && button(`${counted(total - this.rows.length, "more conversation")}`, () => this.#more(), { class: "quiet" }),
    );
  }

  /** @param {ConversationLine} row */
  #line(row) {
    const said = row.state === "finished" ? row.answer || "no answer" : row.state;
    return element(
      "li",
      { class: "conversation", "data-conversation": row.id },
      element("h3", {}, element("a", { href: hashOf("ask", { c: row.id }), dir: "auto" }, row.title || "no words")),
      element("p", { class: "conversation-answer", dir: "auto" }, said),
      element("p", { class: "aside" }, `${new Date(row.updated_s * 1000).toLocaleString()} · ${counted(row.turns, "question")}`),
      element(
        "p",
        { class: "conversation-acts" },
        exportLinks(row.id),
        confirmed("Delete", "Really delete?", () => this.#delete(row.id), { class: "quiet", "aria-label": `Delete ${row.title}` }),
      ),
    );
  }

  /** @param {string} id */
  async #delete(id) {
    try {
      await remove(`/v1/conversations/${encodeURIComponent(id)}`);
    } catch (error) {
      fill(this.list, element("p", { class: "error-line", role: "alert" }, messageOf(error)));
      return;
    }
    this.deleted(id);
    await this.load();
  }
}

/**
 * A link for each form in which a conversation can leave.
 * @param {string} id
 */
export function exportLinks(id) {
  return Object.entries(FORMS).map(([form, name]) =>
    element("a", { href: address(`/v1/conversations/${encodeURIComponent(id)}/export`, { form }), download: true, class: "export" }, name),
  );
}
