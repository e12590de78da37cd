// @ts-check
/** Files added by choosing or dropping them: one after another, with progress and what was skipped. */

import { adviceFor } from "./advice.js";
import { element, fill } from "./dom.js";
import { bytes, counted, duration } from "./format.js";
import { watchReading } from "./reading.js";
import { ServerError, errorOf, messageOf } from "./server.js";

/** @import { UploadedFile } from "../wire.js" */
/** @typedef {{line: HTMLElement, bar: HTMLProgressElement, status: HTMLElement}} Line */

export class Uploads {
  /**
   * @param {HTMLElement} list takes one line a file
   * @param {() => void} added called when the index may have grown
   */
  constructor(list, added) {
    this.list = list;
    this.added = added;
    /** @type {{file: File, line: Line}[]} */
    this.waiting = [];
    this.isBusy = false;
  }

  /** @param {File[]} files */
  async add(files) {
    for (const file of files) this.waiting.push({ file, line: this.#line(file) });
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await this.#send(next);
    this.isBusy = false;
    this.added();
  }

  /**
   * @param {File} file
   * @returns {Line}
   */
  #line(file) {
    const bar = element("progress", { max: "1", value: "0", "aria-label": `Sending ${file.name}` });
    const status = element("span", { class: "upload-status" }, "waiting");
    const name = element("span", { class: "upload-name" }, file.name);
    const line = element("div", { class: "upload" }, name, element("span", { class: "upload-size" }, bytes(file.size)), bar, status);
    this.list.hidden = false;
    this.list.prepend(line);
    return { line, bar, status };
  }

  /** @param {{file: File, line: Line}} upload */
  async #send({ file, line: { line, bar, status } }) {
    let stop = () => {};
    try {
      const report = await put(file, (share) => {
        if (share < 1) {
          bar.value = share;
          fill(status, `sending, ${Math.round(share * 100)} %`);
          return;
        }
        bar.removeAttribute("value"); // the server reads the file now
        fill(status, "reading and indexing");
        stop();
        stop = watchReading((line, done) => {
          fill(status, line);
          if (done) bar.value = done;
          else bar.removeAttribute("value");
        });
      });
      line.classList.add(report.items ? "upload-done" : "upload-empty");
      fill(status, ...outcome(report));
    } catch (error) {
      line.classList.add("upload-failed");
      const advice = error instanceof ServerError && error.status === 400 ? "" : adviceFor(error);
      fill(status, `${messageOf(error)} `, element("span", { class: "advice" }, advice));
    } finally {
      stop();
    }
    bar.remove();
  }
}

/** @param {UploadedFile} report */
function outcome({ items, skipped, replaced, seconds }) {
  const reasons = Object.entries(skipped ?? {}).map(([reason, number]) => `${reason.replaceAll("_", " ")} (${number})`);
  const instead = replaced ? ", in place of the file of this name that was here" : "";
  const gain = items
    ? `${counted(items, "item")} searchable${instead}, ${duration(seconds)}`
    : "nothing searchable in it; a file of this name that was here stays";
  return [gain, reasons.length > 0 && element("span", { class: "skipped" }, `skipped: ${reasons.join(", ")}`)];
}

/**
 * Sends one file; a fetch would not tell how far it is.
 * @param {File} file
 * @param {(share: number) => void} progress
 * @returns {Promise<UploadedFile>}
 */
function put(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/v1/files/${encodeURIComponent(file.name)}`);
    request.upload.addEventListener("progress", (event) => progress(event.total ? event.loaded / event.total : 0));
    request.upload.addEventListener("load", () => progress(1));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorOf(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(new ServerError(0, "unreachable", "The server does not answer.")));
    request.send(file);
  });
}

/**
 * Lets files be dropped anywhere on the page; `veil` is shown while they hover over it.
 * @param {HTMLElement} veil
 * @param {() => boolean} isWelcome
 * @param {(files: File[]) => void} take
 */
export function acceptDrops(veil, isWelcome, take) {
  /** @type {(event: DragEvent) => boolean} */
  const carries = (event) => isWelcome() && Array.from(event.dataTransfer?.types ?? []).includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take(Array.from(event.dataTransfer?.files ?? []));
  });
}
