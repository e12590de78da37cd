/** One corpus item: picture, key frames or passage, and what is known of it. */

import { button, element, fill } from "./dom.js";
import { clock } from "./format.js";
import { mediaAddress, picture } from "./media.js";
import { getJson } from "./server.js";

const LARGE = 900; // pixels a side
const FRAME = 480;

/**
 * @param {object} item `item_id`, `title`, `modality`, and `timestamps` for a clip
 * @param {string[][]} facts pairs of name and value
 * @param {{text?: string}} known what need not be asked of the server
 */
export function itemCard(item, facts, { text = null } = {}) {
  const card = element(
    "section",
    { class: "item-card", "data-item": item.item_id },
    element("h4", {}, item.title || item.item_id),
    facts.length > 0 && factsList(facts),
    visual(item),
  );
  card.append(passage(item, text));
  return card;
}

/** Pairs of name and value. */
export function factsList(facts) {
  const pairs = facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", { class: "facts" }, pairs);
}

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

/** A picture that opens at its full size in another tab. */
function linked(id, alt, time, side) {
  const shown = picture(id, { alt, time, width: side, height: side });
  return element("a", { href: mediaAddress(id, { time }), target: "_blank", rel: "noreferrer", class: "full", title: "Open the picture" }, shown);
}

/** The text of an item: at once for a passage, on demand for what a picture or a clip says. */
function passage(item, text) {
  const place = element("div", { class: "passage" });
  if (text !== null) return text ? fill(place, words(text)) : place;
  const load = async () => {
    fill(place, element("p", { class: "aside" }, "Loading…"));
    try {
      const found = await getJson(`/v1/items/${encodeURIComponent(item.item_id)}`);
      fill(place, found.text ? words(found.text) : element("p", { class: "aside" }, "It holds no text."), origin(found));
    } catch (error) {
      fill(place, element("p", { class: "error-line" }, error.message));
    }
  };
  if (item.modality === "text") load();
  else fill(place, button("Text of this item", load, { class: "quiet" }));
  return place;
}

function words(text) {
  return element("blockquote", {}, text);
}

function origin({ source, licence, dataset }) {
  const parts = [dataset, source, licence].filter(Boolean);
  return parts.length > 0 && element("p", { class: "aside" }, parts.join(" · "));
}
