/** One model call: the prompt turn by turn, pictures at the size that the model saw, and what it wrote. */

import { highlighted } from "./action.js";
import { element } from "./dom.js";
import { clock, counted, shownSize } from "./format.js";
import { picture } from "./media.js";

const PICTURE = "\ufffc"; // stands for a picture, in the order of the call's images

/** `before` is the call that this one goes on from; the turns that both share are folded. */
export function callBlock(call, place, before) {
  const shared = before === null ? 0 : sharedTurns(call.turns, before.turns);
  const read = `read ${counted(call.prompt_tokens, "token")}, ${counted(call.images.length, "picture")}`;
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

/** The turns of a prompt; the system's and the first `numFolded` stay folded. */
export function promptTurns(turns, images, numFolded = 0) {
  const left = [...images];
  return turns.map((turn, index) => {
    const isOpen = index >= numFolded && turn.role !== "system";
    return turnBlock(turn, left.splice(0, numPictures(turn.text)), isOpen);
  });
}

function turnBlock(turn, images, isOpen) {
  return element(
    "details",
    { class: "turn", open: isOpen },
    element("summary", { class: "turn-role" }, turn.role, images.length > 0 && element("span", { class: "aside" }, counted(images.length, "picture"))),
    element("div", { class: "turn-text" }, withPictures(turn.text, images)),
  );
}

function withPictures(text, images) {
  return text.split(PICTURE).flatMap((part, index) => (index === 0 ? [part] : [seen(images[index - 1]), part]));
}

/** A picture as the model saw it. */
function seen(image) {
  if (image === undefined) return element("span", { class: "no-picture" }, "picture unknown");
  const { item_id, width, height, timestamp_s } = image;
  const time = timestamp_s ?? null;
  const at = time === null ? "" : `${clock(time)} · `;
  return element(
    "figure",
    { class: time === null ? "seen" : "seen seen-frame" },
    picture(item_id, { alt: item_id, time, width, height, exact: true }),
    element("figcaption", {}, `${at}${shownSize(width, height)}`),
  );
}

function sharedTurns(turns, earlier) {
  const isSame = (turn, index) => turn.role === earlier[index]?.role && turn.text === earlier[index].text;
  const first = turns.findIndex((turn, index) => !isSame(turn, index));
  return first < 0 ? turns.length : first;
}

function numPictures(text) {
  return text.split(PICTURE).length - 1;
}
