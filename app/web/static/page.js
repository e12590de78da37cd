// @ts-check
/** The page: views, status, uploads and keys put together. */

import { adviceFor } from "./advice.js";
import { AskView } from "./ask.js";
import { Details } from "./details.js";
import { byId } from "./dom.js";
import { followRoute } from "./route.js";
import { ServerError, getJson, messageOf } from "./server.js";
import { Settings } from "./settings.js";
import { showNotices, showStatus, showTokenForm, showUnreachable } from "./status.js";
import { startTheme } from "./theme.js";
import { TrajectoriesView } from "./trajectories.js";
import { Uploads, acceptDrops } from "./uploads.js";

/** @import { ServerStatus } from "../wire.js" */

const details = new Details(byId("details", HTMLDialogElement));
const settings = new Settings();
const ask = new AskView(details, settings);
const trajectories = new TrajectoriesView(byId("view-trajectories"), details);
let takesFiles = false;

async function refresh() {
  try {
    /** @type {ServerStatus} */
    const status = await getJson("/v1/status");
    takesFiles = status.upload;
    settings.offer(status);
    showStatus(byId("status"), status);
    showNotices(byId("notices"), status, refresh);
  } catch (error) {
    if (error instanceof ServerError && error.status === 401) showTokenForm(byId("notices"));
    else showUnreachable(byId("notices"), messageOf(error), adviceFor(error), refresh);
  }
}

/** @param {ReturnType<typeof import("./route.js").route>} where */
function show({ view, parameters }) {
  const isAsk = view === "ask";
  byId("view-ask").hidden = !isAsk;
  byId("view-trajectories").hidden = isAsk;
  document.body.classList.toggle("view-ask", isAsk);
  byId(isAsk ? "tab-ask" : "tab-trajectories").setAttribute("aria-current", "page");
  byId(isAsk ? "tab-trajectories" : "tab-ask").removeAttribute("aria-current");
  details.close();
  if (isAsk) document.title = "VimRAG";
  else trajectories.show(parameters);
}

/** @param {File[]} files */
function takeFiles(files) {
  location.hash = "#/ask";
  uploads.add(files);
}

const uploads = new Uploads(byId("uploads"), refresh);
const fileInput = byId("files", HTMLInputElement);
byId("add-files").addEventListener("click", () => fileInput.click());
fileInput.addEventListener("change", () => {
  takeFiles(Array.from(fileInput.files ?? []));
  fileInput.value = "";
});
acceptDrops(byId("drop"), () => takesFiles, takeFiles);
byId("skip").addEventListener("click", () => byId("main").focus());
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (byId("view-ask").hidden) details.close();
  else ask.escape();
});

startTheme();
followRoute(show);
refresh();
