// @ts-check
/** One corpus item: image, key frames or passage, and what is known of it. */

import { button, element, fill } from "./dom.js";
import { clock } from "./format.js";
import { itemImage, mediaAddress } from "./media.js";
import { getJson, messageOf } from "./server.js";

/** @import { ItemDetail } from "../wire.js" */
/** @typedef {{item_id: string, title: string, modality: string, timestamps?: number[]}} CardItem */
/** @typedef {[name: string, value: string][]} Facts */

const LARGE = 900; // pixels a side
const FRAME = 480;

/**
 * A card of an item; `timestamps` are those of a clip's frames.
 * @param {CardItem} item
 * @param {Facts} facts
 * @param {{text?: string | null, quote?: string}} known what need not be asked of the server, and words of it to be marked
 */
export function itemCard(item, facts, { text = null, quote = "" } = {}) {
  const card = element(
    "section",
    { class: "item-card", "data-item": item.item_id },
    element("h4", {}, item.title || item.item_id),
    facts.length > 0 && factsList(facts),
    visual(item),
  );
  card.append(passage(item, text, quote));
  return card;
}

/** @param {Facts} facts */
export function factsList(facts) {
  const pairs = facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", { class: "facts" }, pairs);
}

/** @param {CardItem} item */
function visual(item) {
  const name = item.title || item.item_id;
  if (item.modality === "text") return null;
  const times = item.timestamps ?? [];
  if (!times.length) return linked(item.item_id, name, null, LARGE);
  const frames = times.map((time) =>
    element("figure", {}, linked(item.item_id, `${name} at ${clock(time)}`, time, FRAME), element("figcaption", {}, clock(time))),
  );
  return element("div", { class: "frames" }, frames);
}

/**
 * An image that opens at its full size in another tab.
 * @param {string} id
 * @param {string} alt
 * @param {number | null} time
 * @param {number} side
 */
function linked(id, alt, time, side) {
  const image = itemImage(id, { alt, time, width: side, height: side });
  return element("a", { href: mediaAddress(id, { time }), target: "_blank", rel: "noreferrer", class: "full", title: "Open the image" }, image);
}

/**
 * The text of an item: at once for a passage, on demand for what an image or a clip says.
 * @param {CardItem} item
 * @param {string | null} text
 * @param {string} quote
 */
function passage(item, text, quote) {
  const place = element("div", { class: "passage" });
  if (text !== null) return text ? fill(place, words(text, quote)) : place;
  const load = async () => {
    fill(place, element("p", { class: "aside" }, "Loading…"));
    try {
      /** @type {ItemDetail} */
      const detail = await getJson(`/v1/items/${encodeURIComponent(item.item_id)}`);
      fill(place, detail.text ? words(detail.text) : element("p", { class: "aside" }, "It holds no text."), origin(detail));
    } catch (error) {
      fill(place, element("p", { class: "error-line" }, messageOf(error)));
    }
  };
  if (item.modality === "text") load();
  else fill(place, button("Text of this item", load, { class: "quiet" }));
  return place;
}

/**
 * @param {string} text
 * @param {string} [quote] marked where it stands
 */
function words(text, quote = "") {
  const at = quote ? text.indexOf(quote) : -1;
  if (at < 0) return element("blockquote", {}, text);
  return element("blockquote", {}, text.slice(0, at), element("mark", {}, quote), text.slice(at + quote.length));
}

/** @param {ItemDetail} item */
function origin({ source, licence, dataset }) {
  const parts = [dataset, source, licence].filter(Boolean);
  return parts.length > 0 && element("p", { class: "aside" }, parts.join(" · "));
}
