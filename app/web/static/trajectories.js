// @ts-check
/** The Trajectories view: which file, which rows of it, and one row in full. Its state is the page's address. */

import { adviceFor } from "./advice.js";
import { element, fill } from "./dom.js";
import { bytes, count } from "./format.js";
import { hashOf, replaceRoute } from "./route.js";
import { getJson, isAbort, messageOf } from "./server.js";
import { Filters } from "./filters.js";
import { pager, rowsTable } from "./rows.js";
import { TrajectoryBlock } from "./trajectory.js";

/** @import { RunFile, RunListing, Trajectory, TrajectoryPage } from "../wire.js" */
/** @import { Parameters } from "./route.js" */

const VIEW = "trajectories";
const PAGE_ROWS = 50;

export class TrajectoriesView {
  /**
   * @param {HTMLElement} place
   * @param {import("./details.js").Details} details
   */
  constructor(place, details) {
    /** @type {RunListing[] | null} */
    this.runs = null;
    /** @type {Record<string, string>} */
    this.parameters = {};
    /** @type {AbortController | undefined} */
    this.loading = undefined;
    this.select = element("select", { id: "file", on: { change: () => this.#go({ file: this.select.value }) } });
    this.filters = new Filters((filters, isTyping) => this.#filter(filters, isTyping));
    this.error = element("div", { role: "alert" });
    this.table = element("div", { class: "rows", "aria-live": "polite" });
    this.list = element(
      "div",
      { class: "trajectory-list" },
      element("div", { class: "picker" }, element("label", { class: "field wide", for: "file" }, "File ", this.select), this.filters.form),
      this.table,
    );
    this.detail = element("div", { class: "trajectory", hidden: true });
    this.block = new TrajectoryBlock(this.detail, details);
    fill(place, this.error, this.list, this.detail);
  }

  /**
   * Show what the parameters of the address name.
   * @param {Record<string, string>} parameters
   */
  async show(parameters) {
    this.parameters = parameters;
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    const isDetail = parameters.row !== undefined;
    this.list.hidden = isDetail;
    this.detail.hidden = !isDetail;
    fill(this.error);
    document.title = "Trajectories – VimRAG";
    try {
      if (!(await this.#offerFiles(loading.signal))) return;
      if (isDetail) await this.#showDetail(loading.signal);
      else await this.#showRows(loading.signal);
    } catch (error) {
      if (isAbort(error)) return;
      fill(this.error, element("div", { class: "notice" }, element("h2", {}, messageOf(error)), element("p", {}, adviceFor(error))));
      if (!isDetail) fill(this.table);
    }
  }

  /** @param {AbortSignal} signal */
  async #offerFiles(signal) {
    if (this.runs === null || this.parameters.row === undefined) {
      /** @type {{runs: RunListing[]}} */
      const { runs } = await getJson("/v1/runs", {}, signal);
      this.runs = runs.filter(({ files }) => files.length);
    }
    if (!this.runs.length) {
      fill(this.error, noRuns());
      this.list.hidden = true;
      return false;
    }
    const known = this.runs.flatMap(({ path, files }) => files.map(({ name }) => `${path}/${name}`));
    if (!this.parameters.file) {
      replaceRoute(VIEW, { ...this.parameters, file: known.at(-1) });
      return false;
    }
    const groups = this.runs.map(({ path, files }) => element("optgroup", { label: path }, files.map((file) => option(path, file))));
    fill(this.select, known.includes(this.parameters.file) ? null : element("option", { value: this.parameters.file }, this.parameters.file), groups);
    this.select.value = this.parameters.file;
    return true;
  }

  /** @param {AbortSignal} signal */
  async #showRows(signal) {
    const { row: _, offset = "0", ...filters } = this.parameters;
    this.filters.show(filters);
    this.table.setAttribute("aria-busy", "true");
    /** @type {TrajectoryPage} */
    const page = await getJson("/v1/trajectories", { ...filters, offset, limit: PAGE_ROWS }, signal);
    this.table.removeAttribute("aria-busy");
    this.filters.offer(page.facets);
    /** @type {(row: number) => string} */
    const link = (row) => hashOf(VIEW, { ...this.parameters, row });
    /** @type {(start: number) => string} */
    const pageAddress = (start) => hashOf(VIEW, { ...this.parameters, offset: start || "" });
    fill(
      this.table,
      pager(page.total, page.offset, PAGE_ROWS, pageAddress),
      page.rows.length ? rowsTable(page.rows, link) : element("p", { class: "idle" }, "No trajectory fits these filters."),
      page.total > PAGE_ROWS && pager(page.total, page.offset, PAGE_ROWS, pageAddress),
    );
  }

  /** @param {AbortSignal} signal */
  async #showDetail(signal) {
    const { file, row } = this.parameters;
    fill(this.detail, element("p", { class: "idle" }, "Loading…"));
    const number = Number(row);
    /** @type {Trajectory} */
    const trajectory = await getJson("/v1/trajectory", { file, row }, signal);
    const { row: _, ...back } = this.parameters;
    this.block.show(trajectory, {
      place: `${file}, row ${count(number)}`,
      back: hashOf(VIEW, back),
      previous: number > 0 ? hashOf(VIEW, { ...this.parameters, row: number - 1 }) : null,
      next: number + 1 < this.#rowsOf(file) ? hashOf(VIEW, { ...this.parameters, row: number + 1 }) : null,
    });
    document.title = `${trajectory.question.slice(0, 60)} – VimRAG`;
  }

  /** @param {string} file */
  #rowsOf(file) {
    for (const { path, files } of this.runs ?? []) {
      for (const { name, rows } of files) if (`${path}/${name}` === file) return rows;
    }
    return 0;
  }

  /** @param {Parameters} parameters */
  #go(parameters) {
    location.hash = hashOf(VIEW, parameters);
  }

  /**
   * @param {Record<string, string>} filters
   * @param {boolean} isTyping
   */
  #filter(filters, isTyping) {
    const parameters = { file: this.parameters.file, ...filters };
    if (isTyping) replaceRoute(VIEW, parameters);
    else this.#go(parameters);
  }
}

/**
 * @param {string} path
 * @param {RunFile} file
 */
function option(path, { name, rows, bytes: size }) {
  return element("option", { value: `${path}/${name}` }, `${path}/${name} – ${count(rows)} rows, ${bytes(size)}`);
}

function noRuns() {
  return element(
    "div",
    { class: "notice" },
    element("h2", {}, "No trajectories yet"),
    element("p", {}, "Training and evaluation write them below trajectories/ of the root:"),
    element("pre", {}, element("code", {}, "dagster job execute -m orchestration.definitions -j evaluate")),
  );
}
