// @ts-check
/** One trajectory in full: verdict, graph, and each segment with its calls as the model saw them. */

import { button, element, fill, icon } from "./dom.js";
import { count, counted, decimal, signed } from "./format.js";
import { GraphView } from "./graph_view.js";
import { factsList } from "./item_card.js";
import { callBlock } from "./prompt.js";
import { stepLink, verdict } from "./rows.js";
import { memoryName } from "./settings.js";

/** @import { Segment, Trajectory } from "../wire.js" */
/** @import { Details, Subject } from "./details.js" */
/** @typedef {{place: string, back: string, previous: string | null, next: string | null}} Way where a trajectory lies, and the addresses around it */

/** @type {Record<string, string>} */
const COUNTERS = {
  model_calls: "calls",
  searches: "searches",
  repeated_searches: "repeated searches",
  dead_ends: "dead ends",
  repairs: "repairs",
  rejected_actions: "rejected actions",
  prompt_tokens: "prompt tokens",
  completion_tokens: "generated tokens",
  visual_tokens: "visual tokens",
  overdrawn_images: "overdrawn images",
};

export class TrajectoryBlock {
  /**
   * @param {HTMLElement} place
   * @param {Details} details
   */
  constructor(place, details) {
    this.place = place;
    this.details = details;
  }

  /**
   * @param {Trajectory} trajectory
   * @param {Way} way
   */
  show(trajectory, way) {
    const pane = element("section", { class: "graph", "aria-label": "Memory graph" });
    const view = new GraphView(pane, "This rollout remembered nothing.", (node, item) => this.details.openNode(subject, node, item));
    const { question, nodes, answer } = trajectory;
    /** @type {Subject} */
    const subject = { question, nodes, answer, parents: null, results: new Map(), view };
    /** @type {(id: string) => void} */
    const openNode = (id) => this.details.openNode(subject, id);
    fill(
      this.place,
      wayBar(way),
      element(
        "div",
        { class: "trajectory-columns" },
        element(
          "div",
          { class: "trajectory-text" },
          head(trajectory),
          element("h2", {}, `Segments (${trajectory.segments.length})`),
          trajectory.segments.map((segment) => segmentBlock(segment, trajectory, openNode)),
        ),
        pane,
      ),
    );
    if (trajectory.svg) view.show(trajectory.svg);
  }
}

/** @param {Way} way */
function wayBar({ place, back, previous, next }) {
  return element(
    "nav",
    { class: "way", "aria-label": "Trajectory" },
    element("a", { class: "back", href: back }, icon("back"), "All rows"),
    element("span", { class: "aside" }, place),
    element("span", { class: "spring" }),
    stepLink("Row before", "back", previous),
    stepLink("Row after", "next", next),
  );
}

/** @param {Trajectory} trajectory */
function head(trajectory) {
  const { counters } = trajectory;
  /** @type {import("./item_card.js").Facts} */
  const facts = [
    ["Expected", trajectory.answers.join(" / ") || "–"],
    ["Outcome", trajectory.outcome],
    ["Memory", memoryName(trajectory.memory)],
    ["Reward", decimal(trajectory.reward)],
    ["Advantage", signed(trajectory.advantage)],
    ["Credit", trajectory.algorithm ? `as trained (pruning ${trajectory.algorithm.pruning}, ratio ${trajectory.algorithm.ratio})` : "as GGPO would give it"],
  ];
  const done = Object.entries(COUNTERS).filter(([name]) => counters[name]);
  return element(
    "header",
    { class: "trajectory-head" },
    element("p", { class: "question-text" }, trajectory.question),
    element("p", { class: "answer-text" }, verdict(trajectory.correct), trajectory.answer || "no answer"),
    factsList(facts),
    element("ul", { class: "counters" }, done.map(([name, words]) => element("li", {}, `${count(counters[name])} ${words}`))),
    trajectory.error && element("p", { class: "error-line" }, trajectory.error),
  );
}

/**
 * @param {Segment} segment
 * @param {Trajectory} trajectory
 * @param {(id: string) => void} openNode
 */
function segmentBlock(segment, trajectory, openNode) {
  const node = trajectory.nodes.find(({ id }) => id === segment.node_id);
  const name = segment.node_id ?? "Answer";
  const tokens = segment.calls.reduce((sum, call) => sum + call.completion_tokens, 0);
  const body = element("div", { class: "segment-body" });
  const block = element(
    "details",
    { class: segment.pruned ? "segment segment-pruned" : "segment", "data-segment": name },
    element(
      "summary",
      {},
      element("span", { class: "segment-name" }, name),
      element("span", { class: "segment-query" }, node?.query ?? trajectory.answer),
      element("span", { class: segment.pruned ? "badge badge-warn" : "badge badge-accent" }, segment.pruned ? "pruned" : "kept"),
      element("span", { class: "segment-reason" }, segment.reason.replace(/^(kept|pruned): /, "")),
      element("span", { class: "segment-size" }, `${counted(segment.calls.length, "call")}, ${counted(tokens, "token")} generated`),
    ),
    body,
  );
  block.addEventListener("toggle", () => {
    if (!block.open || body.childElementCount) return;
    const open = node && button(`Open ${node.id} in the graph`, () => openNode(node.id), { class: "quiet" });
    fill(body, open, segment.calls.map((call, place) => callBlock(call, place, segment.calls[place - 1] ?? null)));
    if (!segment.calls.length) fill(body, element("p", { class: "aside" }, "No call of its own."));
  });
  return block;
}
