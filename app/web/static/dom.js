// @ts-check
/** Elements made of plain values. Text goes in as text, never as markup. */

/**
 * What an element may be filled with: lists are taken apart, nothing and `false` are left out.
 * @typedef {string | number | Node | false | null | undefined | Children} Child
 * @typedef {readonly Child[]} Children
 * @typedef {Record<string, ((event: any) => void)>} Listeners
 * @typedef {Record<string, string | number | boolean | null | undefined | Listeners>} Properties
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * One HTML element.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Properties} properties attributes; `true` is an empty one, `false` and nothing leave it out; `on` holds listeners
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, properties = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "object") {
      for (const [event, listener] of Object.entries(value)) created.addEventListener(event, listener);
    } else {
      created.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(created, children);
  return created;
}

/**
 * Puts `children` in place of what `parent` holds.
 * @template {Element} Parent
 * @param {Parent} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

/**
 * A drawn sign beside a text; nothing to a screen reader.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * The name of the sign of a modality.
 * @param {string} modality
 */
export function signOf(modality) {
  return modality === "text" || modality === "video" ? modality : "image";
}

/**
 * A button that calls `act`.
 * @param {Child} children
 * @param {() => void} act
 * @param {Properties} properties
 */
export function button(children, act, properties = {}) {
  return element("button", { type: "button", ...properties, on: { click: act } }, children);
}

/**
 * The element of this page's own HTML; `kind` states its class where more than an element is needed.
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {string} id
 * @param {new () => Kind} [kind]
 * @returns {Kind}
 */
export function byId(id, kind) {
  const node = document.getElementById(id);
  if (!(node instanceof (kind ?? HTMLElement))) throw new Error(`the page has no ${kind?.name ?? "element"} ${id}`);
  return /** @type {Kind} */ (node);
}

/**
 * @param {Element} parent
 * @param {Children} children
 */
function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (typeof child === "object" && !(child instanceof Node)) append(parent, child);
    else parent.append(child instanceof Node ? child : String(child));
  }
}
