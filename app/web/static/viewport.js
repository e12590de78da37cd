/** Which part of a drawing is seen: panned by dragging and arrow keys, zoomed by buttons, keys, pinching and ctrl + wheel. */

const LARGEST_SCALE = 3; // screen pixels per drawing unit
const SMALLEST_SCALE = 0.05;
const FITTED_SCALE = 1.15; // a small drawing is not blown up further than this
const READABLE_SCALE = 0.55; // a growing drawing is not shrunk further than this
const DRAG_PIXELS = 4; // a pointer that moves less has clicked
const STEP_PIXELS = 60;
const ZOOM_STEP = 1.25;

export class Viewport {
  /** `stage` is the element that holds the drawing. */
  constructor(stage) {
    this.stage = stage;
    this.svg = null;
    this.size = { width: 1, height: 1 }; // of the drawing
    this.centre = { x: 0, y: 0 };
    this.scale = 1;
    this.isReaders = false; // the reader has chosen what to see
    this.pointers = new Map();
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.#release(event));
    stage.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => (this.isReaders ? this.#apply() : this.#settle())).observe(stage);
  }

  /** Another drawing, or null. The view stays where the reader put it; else everything is shown, or `newest` if that is too much. */
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

  zoomBy(factor, at = null) {
    const scale = Math.min(Math.max(this.scale * factor, SMALLEST_SCALE), LARGEST_SCALE);
    if (at !== null) {
      const kept = this.#inDrawing(at);
      this.centre.x = kept.x - (kept.x - this.centre.x) * (this.scale / scale);
      this.centre.y = kept.y - (kept.y - this.centre.y) * (this.scale / scale);
    }
    this.scale = scale;
    this.isReaders = true;
    this.#apply();
  }

  panBy(x, y) {
    this.centre.x -= x / this.scale;
    this.centre.y -= y / this.scale;
    this.isReaders = true;
    this.#apply();
  }

  /** Move as little as needed to have `element` in sight. */
  reveal(element) {
    const [box, stage] = [element.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    const x = shift(box.left - stage.left, box.right - stage.left, stage.width);
    const y = shift(box.top - stage.top, box.bottom - stage.top, stage.height);
    if (x || y) this.panBy(x, y);
  }

  #settle() {
    const { width, height } = this.#room();
    const whole = Math.min(width / this.size.width, height / this.size.height, FITTED_SCALE);
    const newest = this.newest && this.svg?.querySelector(`[data-node-id="${CSS.escape(this.newest)}"]`);
    this.scale = newest ? Math.max(whole, Math.min(READABLE_SCALE, FITTED_SCALE)) : whole;
    this.centre = { x: this.size.width / 2, y: this.size.height / 2 };
    if (newest && this.scale > whole) {
      const box = newest.getBBox();
      this.centre.x = within(box.x + box.width / 2, width / this.scale, this.size.width);
      this.centre.y = within(box.y + box.height / 2, height / this.scale, this.size.height);
    }
    this.#apply();
  }

  #apply() {
    if (this.svg === null) return;
    const { width, height } = this.#room();
    const [seenWidth, seenHeight] = [width / this.scale, height / this.scale];
    this.centre.x = Math.min(Math.max(this.centre.x, -seenWidth * 0.3), this.size.width + seenWidth * 0.3);
    this.centre.y = Math.min(Math.max(this.centre.y, -seenHeight * 0.3), this.size.height + seenHeight * 0.3);
    const [x, y] = [this.centre.x - seenWidth / 2, this.centre.y - seenHeight / 2];
    this.svg.setAttribute("viewBox", `${x} ${y} ${seenWidth} ${seenHeight}`);
  }

  #room() {
    return { width: Math.max(this.stage.clientWidth, 1), height: Math.max(this.stage.clientHeight, 1) };
  }

  #inDrawing(at) {
    const stage = this.stage.getBoundingClientRect();
    return {
      x: this.centre.x + (at.x - stage.left - stage.width / 2) / this.scale,
      y: this.centre.y + (at.y - stage.top - stage.height / 2) / this.scale,
    };
  }

  #wheel(event) {
    if (this.svg === null || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX, y: event.clientY });
  }

  #press(event) {
    if (this.svg === null || event.button !== 0) return;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, dragged: false });
  }

  #move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (pointer === undefined) return;
    const [x, y] = [event.clientX - pointer.x, event.clientY - pointer.y];
    if (!pointer.dragged && Math.hypot(x, y) < DRAG_PIXELS) return;
    if (!pointer.dragged) this.stage.setPointerCapture(event.pointerId); // from here on it is no click
    const before = this.#spread();
    Object.assign(pointer, { x: event.clientX, y: event.clientY, dragged: true });
    if (this.pointers.size === 1) this.panBy(x, y);
    else if (before !== null) this.zoomBy(this.#spread().distance / before.distance, before.middle);
    this.stage.classList.add("dragging");
  }

  #release(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.stage.classList.remove("dragging");
  }

  /** How far two fingers are apart, and where between them. */
  #spread() {
    if (this.pointers.size !== 2) return null;
    const [a, b] = this.pointers.values();
    return { distance: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      ArrowLeft: () => this.panBy(STEP_PIXELS, 0),
      ArrowRight: () => this.panBy(-STEP_PIXELS, 0),
      ArrowUp: () => this.panBy(0, STEP_PIXELS),
      ArrowDown: () => this.panBy(0, -STEP_PIXELS),
      "+": () => this.zoomBy(ZOOM_STEP),
      "=": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.fit(),
    };
    if (this.svg === null || !(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }
}

/** How far to move an interval so that it lies within `0..room`, its start above all. */
function shift(start, end, room) {
  const margin = 8;
  if (start < margin || end - start > room - 2 * margin) return start < margin || start > room / 2 ? margin - start : 0;
  return end > room - margin ? room - margin - end : 0;
}

/** A centre such that what is seen around it stays within the drawing, where it fits. */
function within(centre, seen, size) {
  return seen >= size ? size / 2 : Math.min(Math.max(centre, seen / 2), size - seen / 2);
}
