/** Files added by choosing or dropping them: one after another, with progress and what was skipped. */

import { adviceFor } from "./advice.js";
import { element, fill } from "./dom.js";
import { bytes, counted, duration } from "./format.js";
import { errorOf } from "./server.js";

export class Uploads {
  /**
   * @param {HTMLElement} list takes one line a file
   * @param {() => void} added called when the index may have grown
   */
  constructor(list, added) {
    this.list = list;
    this.added = added;
    this.waiting = [];
    this.isBusy = false;
  }

  async add(files) {
    for (const file of files) this.waiting.push({ file, line: this.#line(file) });
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await this.#send(next);
    this.isBusy = false;
    this.added();
  }

  #line(file) {
    const bar = element("progress", { max: "1", value: "0", "aria-label": `Sending ${file.name}` });
    const said = element("span", { class: "upload-said" }, "waiting");
    const name = element("span", { class: "upload-name" }, file.name);
    const line = element("div", { class: "upload" }, name, element("span", { class: "upload-size" }, bytes(file.size)), bar, said);
    this.list.hidden = false;
    this.list.prepend(line);
    return { line, bar, said };
  }

  async #send({ file, line: { line, bar, said } }) {
    try {
      const report = await put(file, (share) => {
        if (share < 1) bar.value = share;
        else bar.removeAttribute("value"); // the server reads the file now
        fill(said, share < 1 ? `sending, ${Math.round(share * 100)} %` : "reading and indexing");
      });
      line.classList.add(report.items ? "upload-done" : "upload-empty");
      fill(said, ...outcome(report));
    } catch (error) {
      line.classList.add("upload-failed");
      const advice = error.status === 400 ? "" : adviceFor(error);
      fill(said, `${error.message} `, element("span", { class: "advice" }, advice));
    }
    bar.remove();
  }
}

function outcome({ items, skipped, seconds }) {
  const reasons = Object.entries(skipped ?? {}).map(([reason, number]) => `${reason.replaceAll("_", " ")} (${number})`);
  const found = items ? `${counted(items, "item")} searchable, ${duration(seconds)}` : "nothing searchable in it";
  return [found, reasons.length > 0 && element("span", { class: "skipped" }, `skipped: ${reasons.join(", ")}`)];
}

/** Sends one file; a fetch would not tell how far it is. */
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
    request.addEventListener("error", () => reject(Object.assign(new Error("The server does not answer."), { code: "unreachable" })));
    request.send(file);
  });
}

/** Lets files be dropped anywhere on the page; `veil` is shown while they hover over it. */
export function acceptDrops(veil, isWelcome, take) {
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
    take([...event.dataTransfer.files]);
  });
}
