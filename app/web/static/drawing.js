// @ts-check
/** An SVG from the server as an element of this page, if it holds shapes, text and local images and nothing else. */

const SVG = "http://www.w3.org/2000/svg";
const ELEMENTS = new Set(
  "svg g title desc rect path circle ellipse line polyline polygon text tspan image".split(" "),
);
const LOCAL_PATH = /^\/(?![/\\])[^\s\\]*$/;
const DATA_IMAGE = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** The drawing holds something that a page must not take in. */
export class RefusedDrawing extends Error {}

/**
 * The drawing in `text`, ready to be put into the page.
 * @param {string} text
 * @returns {SVGSVGElement}
 * @throws {RefusedDrawing}
 */
export function readDrawing(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  for (const element of [root, ...root.querySelectorAll("*")]) check(element);
  if (root.localName !== "svg") throw new RefusedDrawing(`the drawing begins with <${root.localName}>`);
  return document.adoptNode(/** @type {SVGSVGElement} */ (/** @type {unknown} */ (root)));
}

/** @param {Element} element */
function check(element) {
  if (element.namespaceURI !== SVG || !ELEMENTS.has(element.localName)) {
    throw new RefusedDrawing(`the drawing holds <${element.localName}>`);
  }
  for (const { name, localName, value } of element.attributes) {
    if (/^on/i.test(localName) || localName === "style") throw new RefusedDrawing(`the drawing holds ${name}=`);
    if (localName === "href" && !isImage(element, value)) throw new RefusedDrawing("the drawing leads elsewhere");
    if (localName !== "href" && /url\s*\(/i.test(value) && isPainted(localName)) {
      throw new RefusedDrawing(`${name}= leads elsewhere`);
    }
  }
}

/**
 * @param {Element} element
 * @param {string} href
 */
function isImage(element, href) {
  return element.localName === "image" && (LOCAL_PATH.test(href) || DATA_IMAGE.test(href));
}

/**
 * Texts such as labels and ids may read like an address; only these attributes are followed.
 * @param {string} attribute
 */
function isPainted(attribute) {
  return !attribute.startsWith("data-") && !attribute.startsWith("aria-") && attribute !== "class";
}
