// @ts-check
/** One model call: the prompt turn by turn, images at the size that the model saw, and what it wrote. */

import { highlighted } from "./action.js";
import { element } from "./dom.js";
import { clock, counted, shownSize } from "./format.js";
import { itemImage } from "./media.js";

/** @import { Call, ImageRecord, Turn } from "../wire.js" */

const IMAGE_MARK = "\ufffc"; // stands for an image, in the order of the call's images

/**
 * A call as a block; `before` is the call that this one goes on from, the turns that both share are folded.
 * @param {Call} call
 * @param {number} place
 * @param {Call | null} before
 */
export function callBlock(call, place, before) {
  const shared = before === null ? 0 : sharedTurns(call.turns, before.turns);
  const read = `read ${counted(call.prompt_tokens, "token")}, ${counted(call.images.length, "image")}`;
  const wrote = `wrote ${counted(call.completion_tokens, "token")}`;
  const folded = shared > 0 && element("p", { class: "aside" }, `The first ${counted(shared, "turn")} are those of the call before.`);
  return element(
    "section",
    { class: "call", "aria-label": `Call ${place + 1}` },
    element("h3", {}, `Call ${place + 1}`, element("span", { class: "tokens" }, `${read}; ${wrote}`)),
    folded,
    promptTurns(call.turns, call.images, shared),
    element("div", { class: "turn turn-generated" }, element("p", { class: "turn-role" }, "generated"), highlighted(call.text)),
  );
}

/**
 * The turns of a prompt; the system's and the first `numFolded` stay folded.
 * @param {Turn[]} turns
 * @param {ImageRecord[]} images
 * @param {number} numFolded
 */
export function promptTurns(turns, images, numFolded = 0) {
  const left = [...images];
  return turns.map((turn, index) => {
    const isOpen = index >= numFolded && turn.role !== "system";
    return turnBlock(turn, left.splice(0, numImages(turn.text)), isOpen);
  });
}

/**
 * @param {Turn} turn
 * @param {ImageRecord[]} images
 * @param {boolean} isOpen
 */
function turnBlock(turn, images, isOpen) {
  return element(
    "details",
    { class: "turn", open: isOpen },
    element("summary", { class: "turn-role" }, turn.role, images.length > 0 && element("span", { class: "aside" }, counted(images.length, "image"))),
    element("div", { class: "turn-text" }, withImages(turn.text, images)),
  );
}

/**
 * @param {string} text
 * @param {ImageRecord[]} images
 */
function withImages(text, images) {
  return text.split(IMAGE_MARK).flatMap((part, index) => (index === 0 ? [part] : [imageAsSeen(images[index - 1]), part]));
}

/**
 * An image as the model saw it.
 * @param {ImageRecord | undefined} image
 */
function imageAsSeen(image) {
  if (image === undefined) return element("span", { class: "no-image" }, "image unknown");
  const { item_id, width, height, timestamp_s } = image;
  const time = timestamp_s ?? null;
  const at = time === null ? "" : `${clock(time)} · `;
  return element(
    "figure",
    { class: time === null ? "seen" : "seen seen-frame" },
    itemImage(item_id, { alt: item_id, time, width, height, exact: true }),
    element("figcaption", {}, `${at}${shownSize(width, height)}`),
  );
}

/**
 * How many turns at the beginning are the same.
 * @param {Turn[]} turns
 * @param {Turn[]} earlier
 */
function sharedTurns(turns, earlier) {
  /** @type {(turn: Turn, index: number) => boolean} */
  const isSame = (turn, index) => turn.role === earlier[index]?.role && turn.text === earlier[index].text;
  const first = turns.findIndex((turn, index) => !isSame(turn, index));
  return first < 0 ? turns.length : first;
}

/** @param {string} text */
function numImages(text) {
  return text.split(IMAGE_MARK).length - 1;
}
