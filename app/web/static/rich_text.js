// @ts-check
/** Markup that the server made of an answer, rebuilt element by element: what is not named here does not get into the page. */

import { element } from "./dom.js";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ELEMENTS = new Set("p br hr ul ol li strong em s code pre blockquote table thead tbody tr th td h3 h4 h5 span a div".split(" "));
const FORMULAS = new Set(
  "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts mprescripts mtable mtr mtd mstyle mpadded mphantom menclose mfenced none".split(" "),
);
const ATTRIBUTES = new Set("class dir start data-claim data-verdict".split(" "));
const FORMULA_ATTRIBUTES = /^(?:display|displaystyle|mathvariant|stretchy|fence|separator|form|[lr]space|accent|accentunder|linethickness|columnalign|rowspacing|columnspacing|notation|width|height|depth|largeop|movablelimits|minsize|maxsize|aria-label|role)$/;
const WEB = /^(?:https?:\/\/|mailto:)/i;

/**
 * The content of `html` as nodes of this page.
 * @param {string} html
 */
export function richText(html) {
  const parsed = new DOMParser().parseFromString(`<body>${html}</body>`, "text/html");
  const content = document.createDocumentFragment();
  for (const node of parsed.body.childNodes) take(node, content);
  for (const table of content.querySelectorAll("table")) {
    const frame = element("div", { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  return content;
}

/**
 * @param {Node} node
 * @param {Node} parent
 */
function take(node, parent) {
  if (node.nodeType === Node.TEXT_NODE) {
    parent.appendChild(document.createTextNode(node.textContent ?? ""));
    return;
  }
  if (!(node instanceof Element)) return;
  const made = rebuilt(node);
  if (made !== null) parent.appendChild(made);
  for (const child of node.childNodes) take(child, made ?? parent);
}

/** @param {Element} node */
function rebuilt(node) {
  const name = node.localName;
  if (node.namespaceURI === MATHML && FORMULAS.has(name)) {
    const made = document.createElementNS(MATHML, name);
    for (const { name: key, value } of node.attributes) if (FORMULA_ATTRIBUTES.test(key)) made.setAttribute(key, value);
    return made;
  }
  if (!ELEMENTS.has(name)) return null;
  const made = document.createElement(name);
  for (const { name: key, value } of node.attributes) if (ATTRIBUTES.has(key)) made.setAttribute(key, value);
  const address = node.getAttribute("href") ?? "";
  if (name === "a" && WEB.test(address)) {
    made.setAttribute("href", address);
    made.setAttribute("target", "_blank");
    made.setAttribute("rel", "noopener noreferrer nofollow");
  }
  return made;
}
