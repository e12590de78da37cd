// @ts-check
/** The panel beside the graph: one node, or one item, with all that is known of it. A modal dialog on a phone. */

import { button, element, fill, icon } from "./dom.js";
import { clock, count, decimal, shownSize } from "./format.js";
import { itemCard } from "./item_card.js";
import { getJson } from "./server.js";
import { markedPage, player } from "./source_view.js";

/** @import { Citation, Claim, ItemDetail, NodeItem, SearchNode, ShownHit } from "../wire.js" */
/** @import { Child } from "./dom.js" */
/** @import { Facts } from "./item_card.js" */

const ANSWER = "@answer";
const SHOWN_FRAMES = 12; // of a film; the player has the others
const ROOT = "root";
const PHONE = matchMedia("(max-width: 760px)");

/**
 * What a panel is about: one rollout and its drawing; `results` holds what its searches showed, by node, as far as it is known.
 * @typedef {object} Subject
 * @property {string} question
 * @property {SearchNode[]} nodes
 * @property {string} answer
 * @property {string[] | null} parents of the answer
 * @property {Map<string, ShownHit[]>} results
 * @property {import("./graph_view.js").GraphView} view
 *
 * @typedef {{subject: Subject, id: string, item: string | null}} Place
 */

export class Details {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    /** @type {(Place & {state: string | undefined}) | null} */
    this.opened = null;
    /** @type {Element | null} */
    this.opener = null;
    dialog.addEventListener("close", () => this.#closed());
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  /**
   * Open a node of the graph; `item` is brought into sight.
   * @param {Subject} subject
   * @param {string} id
   * @param {string | null} item
   */
  openNode(subject, id, item = null) {
    const content = this.#nodeContent(subject, id);
    if (content === null) return;
    this.#show({ subject, id, item }, content);
    if (item === null) return;
    const card = this.dialog.querySelector(`[data-item="${CSS.escape(item)}"]`);
    card?.scrollIntoView({ block: "start" });
    card?.classList.add("picked");
  }

  /**
   * Open a result of a search as the model was shown it, whether it was kept or not.
   * @param {Subject} subject
   * @param {ShownHit} shown
   * @param {string} node
   */
  openItem(subject, shown, node) {
    const kept = subject.nodes.find(({ id }) => id === node)?.items.some(({ item_id }) => item_id === shown.item_id);
    if (kept) {
      this.openNode(subject, node, shown.item_id);
      return;
    }
    const times = shown.images.map(({ timestamp_s }) => timestamp_s).filter((time) => time !== null);
    const [first] = shown.images;
    /** @type {Facts} */
    const facts = first ? [["Shown as", `${times.length > 1 ? `${times.length} frames, each ` : ""}${shownSize(first.width, first.height)}`]] : [];
    const card = itemCard({ ...shown, timestamps: times }, facts, { text: shown.text });
    const origin = subject.nodes.some(({ id }) => id === node) && this.#links(subject, "Found by", [node]);
    this.#show({ subject, id: node, item: shown.item_id }, this.#frame("Search result", shown.title || shown.item_id, origin, card));
  }

  /**
   * Open a source at the place that a sentence of the answer rests on: a page with its words marked, a film at its second.
   * @param {Subject} subject
   * @param {ItemDetail} item
   * @param {Citation} citation
   * @param {Claim} [claim]
   */
  openSource(subject, item, citation, claim) {
    const { node_id, times_s } = citation;
    const quote = claim?.quote ?? "";
    const isFilm = item.modality === "video";
    const place = isFilm ? item.file && player(item, times_s, claim) : quote && item.modality === "image" ? markedPage(item, /** @type {Claim} */ (claim)) : null;
    const shown = { item_id: item.id, title: item.title, modality: place && !isFilm ? "text" : item.modality, timestamps: isFilm ? times_s.slice(0, SHOWN_FRAMES) : [] };
    const card = itemCard(shown, [], { text: item.text, quote });
    card.classList.add("picked");
    const origin = subject.nodes.some(({ id }) => id === node_id) && this.#links(subject, "Found by", [node_id]);
    this.#show({ subject, id: node_id, item: item.id }, this.#frame("Source", item.title || item.id, origin, place, card));
    if (place === null) this.dialog.querySelector("mark")?.scrollIntoView({ block: "center" });
  }

  /**
   * The rollout has gone on: show what it is now.
   * @param {Subject} subject
   */
  refresh(subject) {
    const { opened } = this;
    if (!this.isOpen || opened?.subject !== subject) return;
    const state = stateOf(subject, opened.id);
    if (opened.state === undefined || opened.state === state) return;
    const content = this.#nodeContent(subject, opened.id);
    const top = this.dialog.scrollTop;
    if (content !== null) fill(this.dialog, content);
    this.dialog.scrollTop = top;
    opened.state = state;
  }

  close() {
    if (this.isOpen) this.dialog.close();
  }

  /**
   * @param {Place} place
   * @param {HTMLElement} content
   */
  #show(place, content) {
    const opener = this.isOpen ? this.opener : document.activeElement;
    fill(this.dialog, content);
    if (!this.isOpen) {
      if (PHONE.matches) this.dialog.showModal();
      else this.dialog.show();
    }
    document.body.classList.add("has-details");
    this.opener = opener;
    this.opened = { ...place, state: content.dataset.node ? stateOf(place.subject, place.id) : undefined };
    place.subject.view.highlight(place.id, place.item);
    this.dialog.scrollTop = 0;
    this.dialog.querySelector("h2")?.focus({ preventScroll: true });
  }

  #closed() {
    document.body.classList.remove("has-details");
    const view = this.opened?.subject.view;
    view?.highlight(null);
    const { opener } = this;
    if ((opener instanceof HTMLElement || opener instanceof SVGElement) && opener.isConnected) opener.focus({ preventScroll: true });
    else if (this.opened !== null) view?.focus(this.opened.id);
    this.opened = null;
  }

  /**
   * @param {string} kind
   * @param {string} title
   * @param {...Child} body
   */
  #frame(kind, title, ...body) {
    const close = button(icon("close"), () => this.close(), { class: "quiet icon-button", "aria-label": "Close details", title: "Close (Escape)" });
    return element(
      "article",
      {},
      element("header", { class: "details-head" }, element("p", { class: "details-kind" }, kind), close),
      element("h2", { id: "details-title", tabindex: "-1" }, title),
      ...body,
    );
  }

  /**
   * @param {Subject} subject
   * @param {string} id
   */
  #nodeContent(subject, id) {
    const content = this.#content(subject, id);
    if (content !== null) content.dataset.node = id;
    return content;
  }

  /**
   * @param {Subject} subject
   * @param {string} id
   */
  #content(subject, id) {
    if (id === ROOT) return this.#frame("Question", subject.question);
    if (id === ANSWER) {
      const support = subject.parents ?? subject.nodes.filter((node) => node.on_critical_path).map((node) => node.id);
      return this.#frame("Answer", subject.answer || "no answer", this.#links(subject, "Rests on", support));
    }
    const node = subject.nodes.find((known) => known.id === id);
    if (node === undefined) return null;
    const badges = [
      node.on_critical_path && element("span", { class: "badge badge-accent" }, "the answer rests on it"),
      node.dead_end && element("span", { class: "badge badge-warn" }, "dead end"),
    ];
    const children = subject.nodes.filter(({ parents }) => parents.includes(id)).map((child) => child.id);
    return this.#frame(
      `Search ${node.id}`,
      node.query || "no query",
      element("p", { class: "badges" }, badges),
      element("p", { class: "summary-text" }, node.summary || "No summary."),
      this.#links(subject, "Builds on", node.parents),
      this.#links(subject, "Led to", children),
      element("h3", {}, node.items.length ? `Kept (${node.items.length})` : "No image kept"),
      node.items.map((item) => itemCard(item, granted(item))),
      this.#others(subject, node),
    );
  }

  /**
   * Results that are no kept images: texts, and what was of no use.
   * @param {Subject} subject
   * @param {SearchNode} node
   */
  #others(subject, node) {
    const kept = new Set(node.items.map(({ item_id }) => item_id));
    const others = (subject.results.get(node.id) ?? []).filter(({ item_id }) => !kept.has(item_id));
    if (!others.length) return null;
    const links = others.map((shown) => button(shown.title || shown.item_id, () => this.openItem(subject, shown, node.id), { class: "chip" }));
    return element("p", { class: "links" }, element("span", { class: "label" }, "Also found"), links);
  }

  /**
   * @param {Subject} subject
   * @param {string} label
   * @param {string[]} ids
   */
  #links(subject, label, ids) {
    if (!ids.length) return null;
    const links = ids.map((id) => button(id === ROOT ? "the question" : id, () => this.openNode(subject, id), { class: "chip" }));
    return element("p", { class: "links" }, element("span", { class: "label" }, label), links);
  }
}

/**
 * What a panel shows of a node, to see whether it has changed.
 * @param {Subject} subject
 * @param {string} id
 */
function stateOf(subject, id) {
  return JSON.stringify([subject.nodes.find((node) => node.id === id), subject.answer]);
}

/**
 * Energy, priority and granted pixels of an item.
 * @param {NodeItem} item
 * @returns {Facts}
 */
function granted(item) {
  const frames = item.timestamps.length;
  const seen = item.pixels ? `${count(item.pixels)} px · ${count(item.tokens)} tokens` : "not shown any more";
  const spread = frames > 1 && item.pixels ? ` over ${frames} frames` : "";
  return [
    ["Granted", item.pixels === null ? "–" : seen + spread],
    ["Energy", decimal(item.energy)],
    ["Priority", item.priority ? `${item.priority} of 5` : "–"],
    ["Native size", item.width ? `${item.width} × ${item.height} px` : "–"],
    ...(frames ? /** @type {Facts} */ ([["Key frames", item.timestamps.map(clock).join(", ")]]) : []),
  ];
}

/**
 * Open a citation's item, under its node where that is in the graph; with a sentence at the words it rests on, and films at their second.
 * @param {Details} details
 * @param {Subject} subject
 * @param {Citation} citation
 * @param {Claim} [claim]
 */
export async function openCitation(details, subject, citation, claim) {
  const node = subject.nodes.find(({ id }) => id === citation.node_id);
  const isPlayed = citation.modality === "video" && citation.item_id.startsWith("documents:");
  if (!claim?.quote && !isPlayed && node?.items.some(({ item_id }) => item_id === citation.item_id)) {
    details.openNode(subject, node.id, citation.item_id);
    return;
  }
  /** @type {ItemDetail} */
  const item = await getJson(`/v1/items/${encodeURIComponent(citation.item_id)}`);
  const images = citation.times_s.map((time) => ({ timestamp_s: time, width: 0, height: 0 }));
  const shown = { ...item, item_id: citation.item_id, images: images.filter(() => item.modality === "video") };
  if (claim?.quote || isPlayed) details.openSource(subject, item, citation, claim?.quote ? claim : undefined);
  else details.openItem(subject, shown, citation.node_id);
}
