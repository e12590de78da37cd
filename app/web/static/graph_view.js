// @ts-check
/** The memory graph on a stage: drawn by the server, opened node by node. */

import { button, element, fill, icon } from "./dom.js";
import { readDrawing } from "./drawing.js";
import { messageOf } from "./server.js";
import { Viewport, ZOOM_STEP } from "./viewport.js";

export class GraphView {
  /**
   * @param {HTMLElement} pane takes the toolbar and the stage
   * @param {string} idle what stands there without a graph
   * @param {(node: string, item: string | null) => void} open called for the node, and the item in it, that the reader picks
   */
  constructor(pane, idle, open) {
    this.idle = idle;
    this.open = open;
    /** @type {Set<string>} */
    this.known = new Set();
    this.text = "";
    /** @type {SVGSVGElement | null} */
    this.svg = null;
    const label = "Memory graph; arrow keys move it, plus and minus zoom, 0 shows all";
    this.stage = element("div", { class: "stage", tabindex: "0", role: "group", "aria-label": label });
    this.viewport = new Viewport(this.stage);
    this.stage.addEventListener("click", (event) => this.#pick(event.target));
    this.stage.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      if (this.#pick(event.target)) event.preventDefault();
    });
    this.stage.addEventListener("focusin", (event) => {
      if (event.target instanceof Element && event.target.matches(".node:focus-visible")) this.viewport.reveal(event.target);
    });
    this.tools = this.#toolbar();
    fill(pane, this.tools, this.stage);
    this.clear();
  }

  /** No graph: `text` stands in its place. */
  clear(text = this.idle) {
    this.text = "";
    this.known.clear();
    this.svg = null;
    this.viewport.show(null);
    this.tools.hidden = true;
    const sign = element("img", { src: "/static/favicon.svg", alt: "", width: "44", height: "44" });
    fill(this.stage, element("p", { class: "idle" }, sign, text));
  }

  /**
   * Draw `text`; nodes that were not there before are marked as fresh where `grows`.
   * @param {string} text an SVG
   * @param {{grows?: boolean}} options
   */
  show(text, { grows = false } = {}) {
    if (text === this.text) return;
    const focused = this.#focusedNode();
    let svg;
    try {
      svg = readDrawing(text);
    } catch (error) {
      this.clear(`The drawing was refused: ${messageOf(error)}.`);
      return;
    }
    this.text = text;
    const nodes = /** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll("[data-node-id].node"));
    const ids = Array.from(nodes, (node) => node.dataset.nodeId ?? "");
    const fresh = grows ? ids.filter((id) => !this.known.has(id)) : [];
    this.known = new Set(ids);
    this.svg = svg;
    for (const id of fresh) this.#node(id)?.classList.add("fresh");
    fill(this.stage, svg);
    this.tools.hidden = false;
    this.viewport.show(svg, fresh.at(-1) ?? null);
    if (focused !== null) this.focus(focused);
  }

  /**
   * Mark a node, and an item in it, as the one that is being read; null marks none.
   * @param {string | null} id
   * @param {string | null} item
   */
  highlight(id, item = null) {
    for (const marked of this.stage.querySelectorAll(".picked")) marked.classList.remove("picked");
    const node = id === null ? null : this.#node(id);
    if (node === null) return;
    node.classList.add("picked");
    if (item !== null) node.querySelector(`[data-item-id="${CSS.escape(item)}"]`)?.classList.add("picked");
    this.viewport.reveal(node);
  }

  /** @param {string} id */
  focus(id) {
    this.#node(id)?.focus({ preventScroll: true });
  }

  /**
   * @param {string} id
   * @returns {SVGElement | null}
   */
  #node(id) {
    return this.svg?.querySelector(`.node[data-node-id="${CSS.escape(id)}"]`) ?? null;
  }

  #focusedNode() {
    const focused = document.activeElement;
    return focused instanceof SVGElement && this.stage.contains(focused) ? (focused.dataset.nodeId ?? null) : null;
  }

  /** @param {EventTarget | null} target */
  #pick(target) {
    if (!(target instanceof Element)) return false;
    /** @type {SVGElement | null} */
    const node = target.closest(".node[data-node-id]");
    if (node === null) return false;
    /** @type {SVGElement | null} */
    const item = target.closest("[data-item-id]");
    this.open(node.dataset.nodeId ?? "", item?.dataset.itemId ?? null);
    return true;
  }

  #toolbar() {
    /** @type {(name: string, label: string, act: () => void) => HTMLButtonElement} */
    const tool = (name, label, act) =>
      button(icon(name), act, { class: "quiet icon-button", "aria-label": label, title: label });
    return element(
      "div",
      { class: "graph-tools", role: "toolbar", "aria-label": "View of the graph", hidden: true },
      element("span", { class: "legend legend-critical" }, "answer rests on it"),
      element("span", { class: "legend legend-dead" }, "dead end"),
      element("span", { class: "spring" }),
      tool("minus", "Zoom out", () => this.viewport.zoomBy(1 / ZOOM_STEP)),
      tool("plus", "Zoom in", () => this.viewport.zoomBy(ZOOM_STEP)),
      tool("fit", "Show the whole graph", () => this.viewport.fit()),
    );
  }
}
