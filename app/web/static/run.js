/** One question and what came of it: every event, so that it can be shown again. In memory only. */

import { ask } from "./server.js";

export class Run {
  /** `settings` is the body of the request, see `POST /v1/ask`. */
  constructor(settings) {
    this.settings = settings;
    this.question = settings.question;
    this.events = [];
    this.state = "running"; // "running" | "finished" | "stopped" | "failed"
    this.error = null;
    this.startedAt = performance.now();
    this.stopper = new AbortController();
  }

  stop() {
    this.stopper.abort();
  }

  get isRunning() {
    return this.state === "running";
  }

  /** The events as they come; afterwards `state` says how it ended. Never throws. */
  async *follow() {
    try {
      for await (const event of ask(this.settings, this.stopper.signal)) {
        this.#keep(event);
        yield event;
      }
      if (this.isRunning) this.#fail({ status: 0, code: "cut_off", message: "The connection ended before the answer was there." });
    } catch (error) {
      if (this.stopper.signal.aborted) this.state = "stopped";
      else this.#fail(error);
    }
  }

  #keep(event) {
    if (event.event === "replied") this.events = this.events.filter((each) => each.event !== "spoke");
    if (event.data.svg) this.#dropDrawings();
    this.events.push(event);
    if (event.event === "finished") this.state = "finished";
    if (event.event === "failed") this.#fail({ status: 200, ...event.data });
  }

  /** Only the newest drawing is ever shown again. */
  #dropDrawings() {
    this.events = this.events.map((each) => (each.data.svg ? { ...each, data: { ...each.data, svg: "" } } : each));
  }

  #fail({ status = 0, code = "unexpected", message }) {
    this.state = "failed";
    this.error = { status, code, message };
  }
}
