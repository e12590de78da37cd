// @ts-check
/** One question and what came of it: every event, so that it can be shown again. In memory only. */

import { ask } from "./server.js";

/** @import { AskEvent, AskRequest } from "../wire.js" */

export class Run {
  /** @param {AskRequest} request */
  constructor(request) {
    this.request = request;
    this.question = request.question;
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

  stop() {
    this.stopper.abort();
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
      for await (const event of ask(this.request, this.stopper.signal)) {
        this.#keep(event);
        yield event;
      }
      if (this.isRunning) this.#fail({ status: 0, code: "cut_off", message: "The connection ended before the answer was there." });
    } catch (error) {
      if (this.stopper.signal.aborted) this.state = "stopped";
      else this.#fail(/** @type {{message: string}} */ (error));
    }
    this.seconds = (performance.now() - this.startedAt) / 1000;
  }

  /** @param {AskEvent} event */
  #keep(event) {
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
