// @ts-check
/** Images of items, and frames of their videos. */

import { element } from "./dom.js";
import { address } from "./server.js";

const LARGEST = 1600; // pixels a side, of what a reader is shown large

/**
 * The address of an item's image, or of its frame at `time` seconds, no larger than `width` x `height`.
 * @param {string} item
 * @param {{time?: number | null, width?: number, height?: number}} options
 */
export function mediaAddress(item, { time = null, width = LARGEST, height = LARGEST } = {}) {
  return address("/v1/media", { item, t: time, width, height });
}

/**
 * An `<img>` of an item, or a sentence in its place if there is none. `exact` gives it just these sides.
 * @param {string} item
 * @param {{alt?: string, time?: number | null, width?: number, height?: number, exact?: boolean}} options
 */
export function itemImage(item, { alt = "", time = null, width = LARGEST, height = LARGEST, exact = false } = {}) {
  const size = exact ? { width, height } : {};
  const image = element("img", { alt, loading: "lazy", decoding: "async", ...size });
  image.addEventListener("error", () => {
    image.replaceWith(element("span", { class: "no-image" }, "image not available"));
  });
  if (exact) image.style.aspectRatio = `${width} / ${height}`; // the model's sides are rounded, the file's are not
  image.src = mediaAddress(item, { time, width, height });
  return image;
}
