// @ts-check
/** The live log: one entry a step, made from the events of a rollout as they come. */

import { actionBlock, splitReply } from "./action.js";
import { button, element, fill, icon, signOf } from "./dom.js";
import { counted, shownSize } from "./format.js";
import { itemImage } from "./media.js";
import { promptTurns } from "./prompt.js";

/** @import { AskEvent, AskEvents, ImageRecord, ImageSize, Observed, Remembered, ShownHit, Turn } from "../wire.js" */
/** @import { Child } from "./dom.js" */

/**
 * The entry that is being written; a call of the model has more parts than an effect alone.
 * @typedef {object} Entry
 * @property {HTMLElement} entry
 * @property {HTMLElement} heading
 * @property {HTMLElement} sign
 * @property {boolean} settled what the step led to is known
 * @property {CallParts | null} call
 *
 * @typedef {object} CallParts
 * @property {HTMLDetailsElement} block
 * @property {HTMLElement} summary
 * @property {HTMLElement} reasoning
 * @property {HTMLElement} tokens
 * @property {HTMLElement} more
 */

const THUMBNAIL = 144; // pixels a side
const NEAR_END = 32; // pixels; a reader this close to the end follows it

export class Log {
  /**
   * @param {HTMLElement} frame scrolls, and holds the list of entries
   * @param {HTMLElement} toLatest shown while the reader is not at the end
   * @param {(shown: ShownHit, node: string) => void} openItem called for a result that the reader picks
   */
  constructor(frame, toLatest, openItem) {
    this.frame = frame;
    this.list = element("ol", {});
    fill(frame, this.list);
    this.toLatest = toLatest;
    this.openItem = openItem;
    /** @type {Entry | null} */
    this.step = null;
    this.follows = true;
    this.top = 0;
    this.clear();
    frame.addEventListener("scroll", () => this.#watch());
    toLatest.addEventListener("click", () => this.#follow());
    this.growth = new ResizeObserver(() => this.follows && this.#follow());
  }

  clear() {
    this.list.replaceChildren();
    this.step = null;
    this.follows = true;
    this.top = 0;
    this.toLatest.hidden = true;
  }

  /**
   * Add what one event tells.
   * @param {AskEvent} event
   */
  add({ event, data }) {
    if (event === "asked") this.#call(data);
    else if (event === "spoke") this.#tokens(data);
    else if (event === "replied") this.#reply(data);
    else if (event === "rejected") this.#effect("rejected", "Not accepted", element("p", {}, data.reason));
    else if (event === "observed") this.#effect("search", searchTitle(data), ...this.#results(data));
    else if (event === "remembered") this.#effect("summary", `Summary of ${data.node_id}`, ...summary(data));
    else if (event === "noticed") this.#effect("rejected", "Note", element("p", {}, data.message));
    else if (event === "answered") this.#effect("answer", data.forced ? "Answer, calls used up" : "Answer", element("p", {}, data.text));
    if (this.follows) this.#follow();
  }

  /**
   * A last entry that is no step: stopped, failed.
   * @param {string} kind
   * @param {string} title
   */
  end(kind, title) {
    if (this.step !== null && !this.step.settled) this.step.entry.remove();
    this.step = null;
    this.#effect(kind, title);
    if (this.follows) this.#follow();
  }

  /** @param {AskEvents["asked"]} data */
  #call({ call, forced, turns, images }) {
    const reasoning = element("pre", { class: "reasoning", "aria-live": "off" });
    const summary = element("summary", {}, "Reasoning");
    const block = element("details", { open: true, hidden: true }, summary, reasoning);
    const tokens = element("span", { class: "tokens" });
    const more = element("div", { class: "entry-more" }, block, turns.length > 0 && promptBlock(turns, images));
    this.step = this.#entry("thinking", forced ? `Call ${call}, answer asked for` : `Call ${call}`, tokens);
    this.step.call = { block, summary, reasoning, tokens, more };
    this.step.entry.append(more);
  }

  /** @param {AskEvents["spoke"]} data */
  #tokens({ text }) {
    if (!this.step?.call) return;
    this.step.call.reasoning.append(text);
    this.step.call.block.hidden = false;
  }

  /** @param {AskEvents["replied"]} data */
  #reply({ text, prompt_tokens, completion_tokens, estimated }) {
    if (!this.step?.call) return;
    const { block, summary, reasoning, tokens } = this.step.call;
    const parts = splitReply(text);
    fill(reasoning, parts.reasoning);
    reasoning.hidden = !parts.reasoning;
    block.hidden = !text.trim();
    block.open = false;
    fill(summary, parts.reasoning ? "Reasoning and action" : "Action");
    if (parts.action !== null) block.append(actionBlock(parts.action));
    fill(tokens, `${estimated ? "about: " : ""}read ${counted(prompt_tokens, "token")}, wrote ${completion_tokens}`);
  }

  /**
   * What the step led to; several effects of one step stand below each other.
   * @param {string} kind
   * @param {string} title
   * @param {...(HTMLElement | null)} body
   */
  #effect(kind, title, ...body) {
    this.step ??= this.#entry(kind, title);
    const { entry, heading, sign, call, settled } = this.step;
    if (settled && heading.textContent !== title) {
      entry.append(element("p", { class: "entry-next" }, title));
    } else {
      entry.className = `entry entry-${kind}`;
      sign.replaceChildren(icon(kind));
      fill(heading, title);
    }
    this.step.settled = true;
    entry.append(...body.filter((part) => part !== null));
    if (call !== null) entry.append(call.more);
  }

  /**
   * @param {string} kind
   * @param {string} title
   * @param {...Child} aside
   * @returns {Entry}
   */
  #entry(kind, title, ...aside) {
    const heading = element("h3", {}, title);
    const sign = element("span", { class: "sign" }, icon(kind));
    const entry = element("li", { class: `entry entry-${kind}` }, sign, element("div", { class: "entry-head" }, heading, aside));
    this.list.append(entry);
    this.growth.disconnect();
    this.growth.observe(this.frame);
    this.growth.observe(entry);
    return { entry, heading, sign, settled: false, call: null };
  }

  /** @param {Observed} data */
  #results({ node_id, query, repeated, retrieved, shown }) {
    const note = repeated
      ? "This was searched before."
      : shown.length < retrieved.length
        ? `${counted(retrieved.length, "item")} found, ${shown.length} of them new.`
        : "";
    const results = shown.map((hit) => element("li", {}, this.#result(hit, node_id)));
    return [
      element("p", { class: "query" }, query),
      note ? element("p", { class: "aside" }, note) : null,
      results.length > 0 ? element("ul", { class: "results" }, results) : null,
    ];
  }

  /**
   * @param {ShownHit} shown
   * @param {string} node
   */
  #result(shown, node) {
    const [first] = shown.images;
    const isText = shown.modality === "text";
    const sizes = shown.images.length > 1 ? `${shown.images.length} frames, each ` : "";
    const hint = first ? `${sizes}${shownSize(first.width, first.height)}` : shown.title;
    return button(
      [
        isText
          ? element("span", { class: "snippet" }, shown.text || "–")
          : itemImage(shown.item_id, { time: middle(shown.images), width: THUMBNAIL, height: THUMBNAIL }),
        element("span", { class: "result-title" }, icon(signOf(shown.modality)), shown.title || shown.item_id),
      ],
      () => this.openItem(shown, node),
      { class: "result", title: hint },
    );
  }

  /** Growing moves the end away, not the place: only a reader scrolls up. */
  #watch() {
    const { scrollHeight, scrollTop, clientHeight } = this.frame;
    const isNearEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (isNearEnd) this.follows = true;
    else if (scrollTop < this.top) this.follows = false;
    this.top = scrollTop;
    this.toLatest.hidden = this.follows;
  }

  #follow() {
    this.frame.scrollTop = this.frame.scrollHeight;
    this.top = this.frame.scrollTop;
    this.follows = true;
    this.toLatest.hidden = true;
  }
}

/** @param {Observed} data */
function searchTitle({ node_id, repeated }) {
  return repeated ? `Search ${node_id}, repeated` : `Search ${node_id}`;
}

/**
 * The summary, and what the model kept under it.
 * @param {Remembered} data
 */
function summary({ node_id, nodes }) {
  const node = nodes.find(({ id }) => id === node_id);
  if (node === undefined) return [];
  const kept = node.items.length ? `kept ${counted(node.items.length, "image or clip", "images or clips")}` : "no image kept";
  return [element("p", {}, node.summary || "No summary."), element("p", { class: "aside" }, kept)];
}

/**
 * The prompt, built when it is opened.
 * @param {Turn[]} turns
 * @param {ImageRecord[]} images
 */
function promptBlock(turns, images) {
  const seen = images.length ? ` with ${counted(images.length, "image")}` : "";
  const block = element("details", {}, element("summary", {}, `Prompt${seen}`));
  block.addEventListener("toggle", () => {
    if (block.open && block.childElementCount === 1) block.append(...promptTurns(turns, images));
  });
  return block;
}

/**
 * The time of a clip's middle frame; null for an image.
 * @param {ImageSize[]} images
 */
function middle(images) {
  return images[Math.floor(images.length / 2)]?.timestamp_s ?? null;
}
