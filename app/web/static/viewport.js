// @ts-check
/** Which part of a drawing is seen: panned by dragging and arrow keys, zoomed by buttons, keys, pinching and ctrl + wheel. */

import { heldCentre, settledView, shiftIntoSight, zoomedCentre, zoomedScale } from "./layout.js";

/** @import { Point } from "./layout.js" */

const DRAG_PIXELS = 4; // a pointer that moves less has clicked
const STEP_PIXELS = 60;
export const ZOOM_STEP = 1.25;

export class Viewport {
  /** @param {HTMLElement} stage holds the drawing */
  constructor(stage) {
    this.stage = stage;
    /** @type {SVGSVGElement | null} */
    this.svg = null;
    /** @type {string | null} */
    this.newest = null;
    this.size = { width: 1, height: 1 }; // of the drawing
    this.centre = { x: 0, y: 0 };
    this.scale = 1; // screen pixels per drawing unit
    this.isReaders = false; // the reader has chosen what to see
    /** @type {Map<number, Point & {dragged: boolean}>} */
    this.pointers = new Map();
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#release(event));
    stage.addEventListener("pointercancel", (event) => this.#release(event));
    stage.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => (this.isReaders ? this.#apply() : this.#settle())).observe(stage);
  }

  /**
   * Another drawing, or null. The view stays where the reader put it; else everything is shown, or `newest` if that is too much.
   * @param {SVGSVGElement | null} svg
   * @param {string | null} newest id of a node
   */
  show(svg, newest = null) {
    this.svg = svg;
    this.newest = newest;
    if (svg === null) {
      this.isReaders = false;
      return;
    }
    const { width, height } = svg.viewBox.baseVal;
    this.size = { width: Math.max(width, 1), height: Math.max(height, 1) };
    if (this.isReaders) this.#apply();
    else this.#settle();
  }

  /** Show the whole drawing, from now on too. */
  fit() {
    this.isReaders = false;
    this.newest = null;
    this.#settle();
  }

  /**
   * @param {number} factor
   * @param {Point | null} at stays where it is; in pixels of the window
   */
  zoomBy(factor, at = null) {
    const scale = zoomedScale(this.scale, factor);
    if (at !== null) this.centre = zoomedCentre(this.centre, this.#inDrawing(at), this.scale / scale);
    this.scale = scale;
    this.isReaders = true;
    this.#apply();
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  panBy(x, y) {
    this.centre = { x: this.centre.x - x / this.scale, y: this.centre.y - y / this.scale };
    this.isReaders = true;
    this.#apply();
  }

  /**
   * Move as little as needed to have `element` in sight.
   * @param {Element} element
   */
  reveal(element) {
    const [box, stage] = [element.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    const x = shiftIntoSight(box.left - stage.left, box.right - stage.left, stage.width);
    const y = shiftIntoSight(box.top - stage.top, box.bottom - stage.top, stage.height);
    if (x || y) this.panBy(x, y);
  }

  #settle() {
    const selector = this.newest === null ? null : `[data-node-id="${CSS.escape(this.newest)}"]`;
    const node = selector && this.svg?.querySelector(selector);
    const { scale, centre } = settledView(this.size, this.#room(), node instanceof SVGGraphicsElement ? node.getBBox() : null);
    Object.assign(this, { scale, centre });
    this.#apply();
  }

  #apply() {
    if (this.svg === null) return;
    const room = this.#room();
    const seen = { width: room.width / this.scale, height: room.height / this.scale };
    this.centre = heldCentre(this.centre, seen, this.size);
    const [x, y] = [this.centre.x - seen.width / 2, this.centre.y - seen.height / 2];
    this.svg.setAttribute("viewBox", `${x} ${y} ${seen.width} ${seen.height}`);
  }

  #room() {
    return { width: Math.max(this.stage.clientWidth, 1), height: Math.max(this.stage.clientHeight, 1) };
  }

  /** @param {Point} at in pixels of the window */
  #inDrawing(at) {
    const stage = this.stage.getBoundingClientRect();
    return {
      x: this.centre.x + (at.x - stage.left - stage.width / 2) / this.scale,
      y: this.centre.y + (at.y - stage.top - stage.height / 2) / this.scale,
    };
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (this.svg === null || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX, y: event.clientY });
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (this.svg === null || event.button !== 0) return;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, dragged: false });
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (pointer === undefined) return;
    const [x, y] = [event.clientX - pointer.x, event.clientY - pointer.y];
    if (!pointer.dragged && Math.hypot(x, y) < DRAG_PIXELS) return;
    if (!pointer.dragged) this.stage.setPointerCapture(event.pointerId); // from here on it is no click
    const before = this.#pinch();
    Object.assign(pointer, { x: event.clientX, y: event.clientY, dragged: true });
    const after = this.#pinch();
    if (this.pointers.size === 1) this.panBy(x, y);
    else if (before !== null && after !== null) this.zoomBy(after.distance / before.distance, before.middle);
    this.stage.classList.add("dragging");
  }

  /** @param {PointerEvent} event */
  #release(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.stage.classList.remove("dragging");
  }

  /** How far two fingers are apart, and where between them. */
  #pinch() {
    if (this.pointers.size !== 2) return null;
    const [a, b] = this.pointers.values();
    return { distance: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.svg === null || event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => this.panBy(STEP_PIXELS, 0),
      ArrowRight: () => this.panBy(-STEP_PIXELS, 0),
      ArrowUp: () => this.panBy(0, STEP_PIXELS),
      ArrowDown: () => this.panBy(0, -STEP_PIXELS),
      "+": () => this.zoomBy(ZOOM_STEP),
      "=": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.fit(),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }
}
