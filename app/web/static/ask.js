// @ts-check
/** The Ask view: question in, log, graph and answer out; the questions of one conversation, of which each knows those before. */

import { adviceFor } from "./advice.js";
import { showAnswer, showFailure } from "./answer.js";
import { exportLinks } from "./conversations.js";
import { openCitation } from "./details.js";
import { button, byId, element, fill } from "./dom.js";
import { counted, duration } from "./format.js";
import { GraphView } from "./graph_view.js";
import { Log } from "./log.js";
import { noteRoute } from "./route.js";
import { Run, runUnderWay } from "./run.js";
import { getJson, messageOf } from "./server.js";

/** @import { AskEvent, Citation, Claim, StoredConversation } from "../wire.js" */
/** @import { Details, Subject } from "./details.js" */

const IDLE = "Ask a question. What the agent searches and remembers grows here as a graph.";
const KEPT_RUNS = 30;

export class AskView {
  /**
   * @param {Details} details
   * @param {import("./settings.js").Settings} settings reads the form
   */
  constructor(details, settings) {
    this.details = details;
    this.settings = settings;
    this.card = byId("answer");
    this.input = byId("question", HTMLTextAreaElement);
    this.form = byId("question-form", HTMLFormElement);
    /** @type {Run[]} */
    this.runs = []; // the newest first
    /** @type {string | null} */
    this.conversation = null;
    /** @type {Run | null} */
    this.shown = null;
    this.graph = new GraphView(byId("ask-graph"), IDLE, (node, item) => this.details.openNode(this.subject, node, item));
    this.log = new Log(byId("log"), byId("to-latest"), (shown, node) => this.details.openItem(this.subject, shown, node));
    this.subject = this.#subject("");
    this.form.addEventListener("submit", (event) => this.#submit(event));
    this.input.addEventListener("keydown", (event) => this.#key(event));
    byId("answer-now").addEventListener("click", () => this.running?.answerNow());
    setInterval(() => this.#tick(), 200);
    this.#resume();
  }

  /** Go on with the question that was under way when this page was loaded anew. */
  #resume() {
    const run = runUnderWay();
    if (run === null) return;
    this.input.value = run.question;
    this.conversation = run.request.conversation;
    if (this.conversation !== null) {
      noteRoute("ask", { c: this.conversation });
      this.#earlier(this.conversation, run);
    }
    this.#run(run);
  }

  /**
   * The questions that came before one that goes on.
   * @param {string} id
   * @param {Run} current
   */
  async #earlier(id, current) {
    try {
      const turns = await storedRuns(id);
      if (this.conversation === id) this.runs = [...this.runs, ...turns.filter((run) => run.askId !== current.askId)];
      this.#buttons();
    } catch {
      // deleted meanwhile: the question that goes on is shown alone
    }
  }

  /**
   * Open a conversation that was kept, at its last question.
   * @param {string | undefined} id
   */
  async open(id) {
    if (!id || id === this.conversation || this.running !== null) return;
    try {
      const runs = await storedRuns(id);
      this.runs = runs;
      this.conversation = id;
      const [last] = runs;
      if (last === undefined) return;
      if (last.isRunning) {
        this.runs = runs.slice(1);
        this.#run(last);
      } else this.#show(last);
    } catch (error) {
      this.anew();
      showFailure(this.card, "This conversation cannot be opened", messageOf(error), adviceFor(error));
    }
  }

  /** The next question begins a conversation of its own. */
  anew() {
    this.running?.stop();
    this.runs = [];
    this.shown = null;
    this.conversation = null;
    this.details.close();
    this.card.hidden = true;
    byId("log-section").hidden = true;
    this.log.clear();
    this.graph.clear(IDLE);
    noteRoute("ask", {});
    this.#buttons();
    this.input.value = "";
    this.input.focus();
  }

  /** @param {string} id of a conversation that was deleted */
  forget(id) {
    if (this.conversation === id) {
      const hash = location.hash;
      this.anew();
      history.replaceState(null, "", hash);
    }
  }

  get running() {
    return this.runs.find((run) => run.isRunning) ?? null;
  }

  /** Escape anywhere outside the details panel. */
  escape() {
    if (this.details.isOpen) this.details.close();
    else this.running?.stop();
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    if (this.running !== null) {
      this.running.stop();
      return;
    }
    const question = this.input.value.trim();
    if (question) this.#run(new Run({ question, ...this.settings.values(), conversation: this.conversation }));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (this.running === null && !this.settings.isBlocked) this.form.requestSubmit();
    }
    if (event.key === "Escape" && this.running !== null) {
      event.stopPropagation();
      this.running.stop();
    }
  }

  /** @param {Run} run */
  async #run(run) {
    this.runs = [run, ...this.runs].slice(0, KEPT_RUNS);
    this.#show(run);
    this.#buttons();
    for await (const event of run.follow()) {
      if (event.event === "started" && event.data.conversation !== null && this.runs.includes(run)) {
        this.conversation = event.data.conversation;
        if (!byId("view-ask").hidden) noteRoute("ask", { c: this.conversation });
      }
      if (this.shown === run) this.#add(event, run);
    }
    if (this.shown === run) this.#end(run);
    this.#buttons();
  }

  /**
   * Show everything of one run, from its beginning.
   * @param {Run} run
   */
  #show(run) {
    this.details.close();
    this.shown = run;
    this.subject = this.#subject(run.question);
    this.card.hidden = true;
    byId("log-section").hidden = false;
    this.log.clear();
    this.graph.clear("Thinking…");
    for (const event of run.events) this.#add(event, run);
    if (run.stored !== null && !run.events.length) this.#recalled(run);
    else if (!run.isRunning) this.#end(run);
    this.#history();
    this.#tick();
  }

  /** @param {Run} run a question that was kept */
  async #recalled(run) {
    try {
      await run.recall();
    } catch (error) {
      showFailure(this.card, "Its steps cannot be read", messageOf(error), adviceFor(error));
      return;
    }
    if (this.shown !== run) return;
    for (const event of run.events) this.#add(event, run);
    this.#end(run);
    this.#history();
  }

  /**
   * Show what one event tells.
   * @param {AskEvent} entry
   * @param {Run} run
   */
  #add(entry, run) {
    this.log.add(entry);
    const { event, data } = entry;
    if (event === "remembered" || event === "finished") {
      this.subject.nodes = data.nodes;
      if (event === "finished") this.subject.answer = data.answer;
      if (data.svg) this.graph.show(data.svg, { grows: run.isRunning });
    }
    if (event === "observed") this.subject.results.set(data.node_id, data.shown);
    if (event === "answered") Object.assign(this.subject, { answer: data.text, parents: data.parents });
    if (event === "finished") showAnswer(this.card, data, (citation, claim) => this.#cite(citation, claim));
    this.details.refresh(this.subject);
  }

  /** @param {Run} run */
  #end(run) {
    const shownGraph = this.graph.svg !== null;
    if (run.state === "stopped") {
      this.log.end("stopped", "Stopped");
      if (!shownGraph) this.graph.clear("Stopped before anything was remembered.");
    }
    if (run.state === "failed" && run.isResumed && run.error?.status === 404) {
      this.runs = this.runs.filter((each) => each !== run);
      const { conversation } = this;
      this.conversation = null;
      if (conversation !== null) this.open(conversation); // the server was started anew: what it has kept
      byId("log-section").hidden = true;
      this.graph.clear(IDLE);
      return;
    }
    if (run.state === "failed" && run.error !== null) {
      this.log.end("rejected", "Failed");
      showFailure(this.card, "No answer", run.error.message, adviceFor(run.error));
      if (!shownGraph) this.graph.clear("Nothing was remembered.");
    }
    if (run.state === "finished" && !shownGraph) this.graph.clear("This answer needed no memory.");
  }

  /**
   * @param {Citation} citation
   * @param {Claim} [claim]
   */
  async #cite(citation, claim) {
    try {
      await openCitation(this.details, this.subject, citation, claim);
    } catch (error) {
      const line = element("p", { class: "error-line", role: "alert" }, `${messageOf(error)} ${adviceFor(error)}`);
      this.card.querySelector(".error-line")?.remove();
      this.card.append(line);
    }
  }

  /**
   * @param {string} question
   * @returns {Subject}
   */
  #subject(question) {
    return { question, nodes: [], answer: "", parents: null, results: new Map(), view: this.graph };
  }

  #buttons() {
    const send = byId("send");
    const isRunning = this.running !== null;
    fill(send, isRunning ? "Stop" : "Ask");
    send.classList.toggle("stop", isRunning);
    byId("answer-now").hidden = !isRunning;
    this.input.required = !isRunning;
    byId("log").setAttribute("aria-busy", String(isRunning));
    this.#history();
    this.#tick();
  }

  #tick() {
    const run = this.shown;
    if (run === null) return;
    const seconds = run.seconds ?? (performance.now() - run.startedAt) / 1000;
    byId("clock").textContent = duration(seconds);
    byId("clock").classList.toggle("running", run.isRunning);
  }

  /** What the next question will know, and the way out of it. */
  #bar() {
    const bar = byId("conversation-bar");
    const { conversation } = this;
    bar.hidden = conversation === null || this.runs.length === 0;
    if (conversation === null) return;
    fill(
      bar,
      element("span", {}, `The next question knows ${this.runs.length === 1 ? "this one" : `these ${counted(this.runs.length, "question")}`}.`),
      button("New conversation", () => this.anew(), { class: "quiet" }),
      element("span", {}, "Save as ", exportLinks(conversation).flatMap((link, at) => (at ? [" · ", link] : [link]))),
    );
  }

  #history() {
    byId("history").hidden = this.runs.length < 2;
    this.#bar();
    fill(
      byId("history-list"),
      this.runs.map((run) => {
        const entry = button(
          [element("span", { class: "history-question" }, run.question), element("span", { class: "history-answer" }, endOf(run))],
          () => this.#show(run),
          { "aria-current": run === this.shown ? "true" : null },
        );
        return element("li", {}, entry);
      }),
    );
  }
}

/** @param {Run} run */
function endOf(run) {
  if (run.state !== "finished") return run.error?.code === "interrupted" ? "interrupted" : run.state;
  return run.answer || "no answer";
}

/**
 * The questions of a conversation, the newest first.
 * @param {string} id
 */
async function storedRuns(id) {
  /** @type {StoredConversation} */
  const { turns } = await getJson(`/v1/conversations/${encodeURIComponent(id)}`);
  return turns.map((turn) => Run.ofStored(turn, id)).reverse();
}
