// @ts-check
/** The page: views, status, uploads and keys put together. */

import { adviceFor } from "./advice.js";
import { AskView } from "./ask.js";
import { Details } from "./details.js";
import { byId } from "./dom.js";
import { followRoute } from "./route.js";
import { ServerError, getJson, messageOf } from "./server.js";
import { SearchView } from "./search.js";
import { Settings } from "./settings.js";
import { showNotices, showStatus, showTokenForm, showUnreachable } from "./status.js";
import { startTheme } from "./theme.js";
import { TrajectoriesView } from "./trajectories.js";
import { Uploads, acceptDrops } from "./uploads.js";

/** @import { ServerStatus } from "../wire.js" */

const details = new Details(byId("details", HTMLDialogElement));
const settings = new Settings();
const ask = new AskView(details, settings);
const search = new SearchView();
const trajectories = new TrajectoriesView(byId("view-trajectories"), details);
const VIEWS = ["ask", "search", "trajectories"];
let takesFiles = false;

async function refresh() {
  try {
    /** @type {ServerStatus} */
    const status = await getJson("/v1/status");
    takesFiles = status.upload;
    settings.offer(status);
    search.offer(status);
    showStatus(byId("status"), status);
    showNotices(byId("notices"), status, refresh);
  } catch (error) {
    if (error instanceof ServerError && error.status === 401) showTokenForm(byId("notices"));
    else showUnreachable(byId("notices"), messageOf(error), adviceFor(error), refresh);
  }
}

/** @param {ReturnType<typeof import("./route.js").route>} where */
function show({ view, parameters }) {
  for (const name of VIEWS) {
    byId(`view-${name}`).hidden = name !== view;
    if (name === view) byId(`tab-${name}`).setAttribute("aria-current", "page");
    else byId(`tab-${name}`).removeAttribute("aria-current");
  }
  document.body.classList.toggle("view-ask", view === "ask");
  details.close();
  if (view === "trajectories") trajectories.show(parameters);
  else document.title = view === "ask" ? "VimRAG" : "Search - VimRAG";
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
