// @ts-check
/** A source opened at its place: a page with the words marked on it, or a film at the second. */

import { button, element, fill } from "./dom.js";
import { clock } from "./format.js";
import { itemImage, mediaAddress } from "./media.js";
import { address, getJson } from "./server.js";

/** @import { Claim, Film, ItemDetail, Place } from "../wire.js" */

const LARGE = 1600; // pixels a side
const MOST_TIMES = 60;

/**
 * The page, on which the words of `claim` are marked as soon as the server has found them.
 * @param {ItemDetail} item
 * @param {Claim} claim
 */
export function markedPage(item, claim) {
  const name = item.title || item.id;
  const sheet = element("div", { class: "sheet" }, itemImage(item.id, { alt: name, width: LARGE, height: LARGE }));
  const said = element("p", { class: "aside", role: "status" }, "Looking for the words on the page…");
  const open = element("a", { href: mediaAddress(item.id, { width: 4000, height: 4000 }), target: "_blank", rel: "noreferrer" }, "Open the page alone");
  mark(item, claim, sheet, said);
  return element("section", { class: "marked-page" }, sheet, said, open);
}

/**
 * @param {ItemDetail} item
 * @param {Claim} claim
 * @param {HTMLElement} sheet
 * @param {HTMLElement} said
 */
async function mark(item, claim, sheet, said) {
  /** @type {Place} */
  let place;
  try {
    place = await getJson("/v1/places", { item: item.id, start: claim.quote_start, end: claim.quote_end });
  } catch {
    fill(said, "The words could not be looked for; they are marked in the text below.");
    return;
  }
  for (const box of place.boxes) {
    const spot = element("div", { class: "spot", "aria-hidden": "true" });
    Object.assign(spot.style, { left: share(box.x), top: share(box.y), width: share(box.width), height: share(box.height) });
    sheet.append(spot);
  }
  const how = place.how === "ocr" ? " They were read in its picture." : "";
  fill(said, place.boxes.length ? `The words are marked on the page.${how}` : "The words were not found on the page; they are marked in the text below.");
  sheet.querySelector(".spot")?.scrollIntoView({ block: "center" });
}

/** @param {number} part */
function share(part) {
  return `${(100 * part).toFixed(3)}%`;
}

/**
 * The film of a clip at its seconds; `claim` may say at which words.
 * @param {ItemDetail} item
 * @param {number[]} times seconds from the clip's start
 * @param {Claim} [claim]
 */
export function player(item, times, claim) {
  const place = element("section", { class: "player" }, element("p", { class: "aside" }, "Opening the film…"));
  play(place, item, times, claim);
  return place;
}

/**
 * @param {HTMLElement} place
 * @param {ItemDetail} item
 * @param {number[]} times
 * @param {Claim} [claim]
 */
async function play(place, item, times, claim) {
  const start = item.start_s ?? 0;
  const seconds = times.map((time) => start + time);
  /** @type {Film} */
  let film;
  try {
    film = await getJson(`/v1/sources/${encodeURIComponent(item.file ?? "")}/film`);
    if (claim) {
      /** @type {Place} */
      const said = await getJson("/v1/places", { item: item.id, start: claim.quote_start, end: claim.quote_end });
      if (said.second !== null) seconds.unshift(said.second);
    }
  } catch {
    fill(place, element("p", { class: "aside" }, "The film is not at its place any more; what was kept of it is below."));
    return;
  }
  const first = seconds[0] ?? start;
  const tracks = film.tracks.map(({ label, language, href }, at) =>
    element("track", { kind: "captions", src: href, label, srclang: language || "und", default: at === 0 }),
  );
  const source = address(`/v1/sources/${encodeURIComponent(film.key)}/film/content`, {});
  const video = element("video", { controls: true, preload: "metadata", src: source, "aria-label": `${film.name} at ${clock(first)}` }, tracks);
  video.addEventListener("loadedmetadata", () => (video.currentTime = first), { once: true });
  video.addEventListener("error", () => fill(place, element("p", { class: "aside" }, "This browser cannot play the film; what was kept of it is below.")));
  const jump = (/** @type {number} */ second) => {
    video.currentTime = second;
    video.play().catch(() => {});
  };
  const unique = [...new Set(seconds)].slice(0, MOST_TIMES);
  const chips = unique.map((second) => button(clock(second), () => jump(second), { class: "chip", "aria-label": `Play from ${clock(second)}` }));
  fill(place, video, chips.length > 0 && element("p", { class: "links times" }, chips));
}
