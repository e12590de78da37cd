/** Elements made of plain values. Text goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * One HTML element.
 * @param {string} name
 * @param {Record<string, any>} properties attributes; `true` is an empty one, `false` and nothing leave it out; `on` holds listeners
 * @param {...any} children texts and nodes; lists of them are taken apart, nothing and `false` are left out
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(made, children);
  return made;
}

/** Puts `children` in place of what `parent` holds. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

/** A drawn sign beside a text; nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** The name of the sign of a modality. */
export function signOf(modality) {
  return modality === "text" || modality === "video" ? modality : "image";
}

/** A button that calls `act`. */
export function button(children, act, properties = {}) {
  return element("button", { type: "button", ...properties, on: { click: act } }, children);
}

/** The element of this page's own HTML. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

function append(parent, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, child);
    else if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}
