/** The live log: one entry a step, made from the events of a rollout as they come. */

import { actionBlock, divided } from "./action.js";
import { button, element, fill, icon, signOf } from "./dom.js";
import { counted, shownSize } from "./format.js";
import { picture } from "./media.js";
import { promptTurns } from "./prompt.js";

const THUMBNAIL = 144; // pixels a side
const NEAR_END = 32; // pixels; a reader this close to the end follows it

export class Log {
  /**
   * @param {HTMLElement} list takes the entries
   * @param {HTMLElement} toLatest shown while the reader is not at the end
   * @param {(shown: object, node: string) => void} openItem called for a result that the reader picks
   */
  constructor(list, toLatest, openItem) {
    this.list = list;
    this.toLatest = toLatest;
    this.openItem = openItem;
    this.clear();
    list.addEventListener("scroll", () => this.#watch());
    toLatest.addEventListener("click", () => this.#follow());
    this.growth = new ResizeObserver(() => this.follows && this.#follow());
  }

  clear() {
    this.list.replaceChildren();
    this.step = null;
    this.follows = true;
    this.top = 0;
    this.toLatest.hidden = true;
  }

  /** Take in one event. */
  hear({ event, data }) {
    if (event === "asked") this.#asked(data);
    else if (event === "spoke") this.#spoke(data);
    else if (event === "replied") this.#replied(data);
    else if (event === "rejected") this.#effect("rejected", "Not accepted", element("p", {}, data.reason));
    else if (event === "observed") this.#effect("search", searchTitle(data), ...this.#found(data));
    else if (event === "remembered") this.#effect("summary", `Summary of ${data.node_id}`, ...summary(data));
    else if (event === "answered") this.#effect("answer", data.forced ? "Answer, calls used up" : "Answer", element("p", {}, data.text));
    if (this.follows) this.#follow();
  }

  /** A last entry that is no step: stopped, failed. */
  end(kind, title) {
    if (this.step !== null && !this.step.settled) this.step.entry.remove();
    this.step = null;
    this.#effect(kind, title);
    if (this.follows) this.#follow();
  }

  #asked({ call, forced, turns, images }) {
    const reasoning = element("pre", { class: "reasoning", "aria-live": "off" });
    const summary = element("summary", {}, "Reasoning");
    const block = element("details", { open: true, hidden: true }, summary, reasoning);
    const tokens = element("span", { class: "tokens" });
    this.step = this.#entry("thinking", forced ? `Call ${call}, answer asked for` : `Call ${call}`, tokens);
    Object.assign(this.step, { block, summary, reasoning, tokens, text: "", settled: false });
    this.step.more = element("div", { class: "entry-more" }, block, turns.length > 0 && promptBlock(turns, images));
    this.step.entry.append(this.step.more);
  }

  #spoke({ text }) {
    if (this.step === null) return;
    this.step.text += text;
    this.step.reasoning.append(text);
    this.step.block.hidden = false;
  }

  #replied({ text, prompt_tokens, completion_tokens }) {
    if (this.step === null) return;
    const { reasoning, action } = divided(text);
    fill(this.step.reasoning, reasoning);
    this.step.reasoning.hidden = !reasoning;
    this.step.block.hidden = !text.trim();
    this.step.block.open = false;
    fill(this.step.summary, reasoning ? "Reasoning and action" : "Action");
    if (action !== null) this.step.block.append(actionBlock(action));
    const read = counted(prompt_tokens, "token");
    fill(this.step.tokens, `read ${read}, wrote ${completion_tokens}`);
  }

  /** What the step led to; several effects of one step stand below each other. */
  #effect(kind, title, ...body) {
    if (this.step === null) this.step = { ...this.#entry(kind, title), settled: true };
    const { entry, heading, sign, more, settled } = this.step;
    if (settled && heading.textContent !== title) {
      entry.append(element("p", { class: "entry-next" }, title));
    } else {
      entry.className = `entry entry-${kind}`;
      sign.replaceChildren(icon(kind));
      fill(heading, title);
    }
    this.step.settled = true;
    entry.append(...body.filter(Boolean));
    if (more) entry.append(more);
  }

  #entry(kind, title, ...aside) {
    const heading = element("h3", {}, title);
    const sign = element("span", { class: "sign" }, icon(kind));
    const entry = element("li", { class: `entry entry-${kind}` }, sign, element("div", { class: "entry-head" }, heading, aside));
    this.list.append(entry);
    this.growth.disconnect();
    this.growth.observe(this.list);
    this.growth.observe(entry);
    return { entry, heading, sign };
  }

  #found({ node_id, query, repeated, retrieved, shown }) {
    const said = repeated
      ? "This was searched before."
      : shown.length < retrieved.length
        ? `${counted(retrieved.length, "item")} found, ${shown.length} of them new.`
        : "";
    const results = shown.map((each) => element("li", {}, this.#result(each, node_id)));
    return [
      element("p", { class: "query" }, query),
      said && element("p", { class: "aside" }, said),
      results.length > 0 && element("ul", { class: "results" }, results),
    ];
  }

  #result(shown, node) {
    const [first] = shown.images ?? [];
    const isText = shown.modality === "text";
    const sizes = (shown.images ?? []).length > 1 ? `${shown.images.length} frames, each ` : "";
    const hint = first ? `${sizes}${shownSize(first.width, first.height)}` : shown.title;
    return button(
      [
        isText
          ? element("span", { class: "snippet" }, shown.text || "–")
          : picture(shown.item_id, { time: middle(shown.images), width: THUMBNAIL, height: THUMBNAIL }),
        element("span", { class: "result-title" }, icon(signOf(shown.modality)), shown.title || shown.item_id),
      ],
      () => this.openItem(shown, node),
      { class: "result", title: hint },
    );
  }

  /** Growing moves the end away, not the place: only a reader scrolls up. */
  #watch() {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    const isNearEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (isNearEnd) this.follows = true;
    else if (scrollTop < this.top) this.follows = false;
    this.top = scrollTop;
    this.toLatest.hidden = this.follows;
  }

  #follow() {
    this.list.scrollTop = this.list.scrollHeight;
    this.top = this.list.scrollTop;
    this.follows = true;
    this.toLatest.hidden = true;
  }
}

function searchTitle({ node_id, repeated }) {
  return repeated ? `Search ${node_id}, repeated` : `Search ${node_id}`;
}

/** The summary, and what the model kept under it. */
function summary({ node_id, nodes }) {
  const node = nodes.find((each) => each.id === node_id);
  if (node === undefined) return [];
  const kept = node.items.length ? `kept ${counted(node.items.length, "picture or clip", "pictures or clips")}` : "no picture kept";
  return [element("p", {}, node.summary || "No summary."), element("p", { class: "aside" }, kept)];
}

/** What the model was shown, made when it is asked for. */
function promptBlock(turns, images) {
  const pictures = images.length ? ` with ${counted(images.length, "picture")}` : "";
  const block = element("details", {}, element("summary", {}, `Prompt${pictures}`));
  block.addEventListener("toggle", () => {
    if (block.open && block.childElementCount === 1) block.append(...promptTurns(turns, images));
  });
  return block;
}

/** The time of a clip's middle frame; null for a picture. */
export function middle(images) {
  return images?.length ? (images[Math.floor(images.length / 2)].timestamp_s ?? null) : null;
}
