// @ts-check
/** One question and what came of it: every event, so that it can be shown again. The server keeps those that are under way. */

import { ask, follow, getJson, tell } from "./server.js";

/** @import { AskEvent, AskRequest, StoredEvents, StoredTurn } from "../wire.js" */

const UNDER_WAY = "vimrag.run"; // of this tab, so that a page that is loaded anew finds its question

/**
 * The question of this tab that may still be under way.
 * @returns {Run | null}
 */
export function runUnderWay() {
  try {
    const { askId, request, conversation } = JSON.parse(sessionStorage.getItem(UNDER_WAY) ?? "");
    return new Run({ ...request, conversation: conversation ?? request.conversation ?? null }, String(askId));
  } catch {
    return null;
  }
}

export class Run {
  /**
   * @param {AskRequest} request
   * @param {string} askId of a question that was asked already
   */
  constructor(request, askId = "") {
    this.request = request;
    this.askId = askId;
    this.isResumed = askId !== "";
    this.question = request.question;
    /** @type {StoredTurn | null} */
    this.stored = null;
    /** @type {AskEvent[]} */
    this.events = [];
    /** @type {"running" | "finished" | "stopped" | "failed"} */
    this.state = "running";
    /** @type {{status: number, code: string, message: string} | null} */
    this.error = null;
    this.startedAt = performance.now();
    /** @type {number | null} */
    this.seconds = null;
    this.stopper = new AbortController();
  }

  /**
   * A question that was kept; its steps are fetched when they are shown.
   * @param {StoredTurn} turn
   * @param {string} conversation
   */
  static ofStored(turn, conversation) {
    const { question, memory, datasets, files } = turn;
    const run = new Run({ question, memory, datasets, files, conversation, calls: null, timeout_s: null }, turn.id);
    if (turn.state === "running") return run;
    run.stored = turn;
    run.seconds = turn.record?.seconds ?? 0;
    run.state = turn.state === "finished" ? "finished" : turn.state === "stopped" ? "stopped" : "failed";
    if (run.state === "failed") run.error = { status: 200, code: turn.state, message: turn.message || "The server ended before the answer was there." };
    return run;
  }

  /** What it answered; empty as long as nobody knows. */
  get answer() {
    const finished = this.events.findLast(({ event }) => event === "finished");
    return (finished?.event === "finished" ? finished.data.answer : this.stored?.record?.answer) ?? "";
  }

  /** Fetch the steps of a question that was kept. */
  async recall() {
    const { stored } = this;
    if (stored === null || this.events.length) return;
    /** @type {StoredEvents} */
    const { events } = await getJson(`/v1/turns/${encodeURIComponent(stored.id)}/events`);
    const last = events.findLast(({ data }) => "svg" in data);
    if (last !== undefined && "svg" in last.data) last.data.svg = stored.svg;
    this.events = events.filter(({ event }) => event !== "failed");
  }

  stop() {
    this.stopper.abort();
    if (this.askId) tell(this.askId, "stop").catch(() => {});
  }

  /** Have it answered with what was found until now. */
  answerNow() {
    if (this.askId) tell(this.askId, "answer").catch(() => {});
  }

  get isRunning() {
    return this.state === "running";
  }

  /**
   * The events as they come; afterwards `state` tells how it ended. Never throws.
   * @returns {AsyncGenerator<AskEvent>}
   */
  async *follow() {
    try {
      const { signal } = this.stopper;
      for await (const event of this.isResumed ? follow(this.askId, signal) : ask(this.request, signal)) {
        this.#keep(event);
        yield event;
      }
      if (this.isRunning) this.#fail({ status: 0, code: "cut_off", message: "The connection ended before the answer was there." });
    } catch (error) {
      if (this.stopper.signal.aborted) this.state = "stopped";
      else this.#fail(/** @type {{message: string}} */ (error));
    }
    sessionStorage.removeItem(UNDER_WAY);
    this.seconds = (performance.now() - this.startedAt) / 1000;
  }

  /** @param {AskEvent} event */
  #keep(event) {
    if (event.event === "started") {
      this.askId = event.data.ask_id;
      sessionStorage.setItem(UNDER_WAY, JSON.stringify({ askId: this.askId, request: this.request, conversation: event.data.conversation }));
    }
    if (event.event === "replied") this.events = this.events.filter(({ event: name }) => name !== "spoke");
    if ("svg" in event.data && event.data.svg) this.#dropDrawings();
    this.events.push(event);
    if (event.event === "finished") this.state = "finished";
    if (event.event === "failed") this.#fail({ status: 200, ...event.data });
  }

  /** Only the newest drawing is ever shown again. */
  #dropDrawings() {
    for (const { data } of this.events) if ("svg" in data) data.svg = "";
  }

  /** @param {{status?: number, code?: string, message: string}} failure */
  #fail({ status = 0, code = "unexpected", message }) {
    this.state = "failed";
    this.error = { status, code, message };
  }
}
