// @ts-check
/** The page: views, status, uploads and keys put together. */

import { adviceFor } from "./advice.js";
import { AskView } from "./ask.js";
import { ConversationsView } from "./conversations.js";
import { Details } from "./details.js";
import { byId } from "./dom.js";
import { LibraryView } from "./library.js";
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
const library = new LibraryView(settings, refresh);
const conversations = new ConversationsView((id) => ask.forget(id));
const trajectories = new TrajectoriesView(byId("view-trajectories"), details);
const VIEWS = ["ask", "library", "history", "search", "trajectories"];
const TITLES = /** @type {Record<string, string>} */ ({ ask: "VimRAG", library: "Library - VimRAG", history: "History - VimRAG", search: "Search - VimRAG" });
let takesFiles = false;

async function refresh() {
  try {
    /** @type {ServerStatus} */
    const status = await getJson("/v1/status");
    takesFiles = status.upload;
    library.mayChange = status.upload;
    byId("library-add").hidden = !status.upload;
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
  else document.title = TITLES[view];
  if (view === "ask" || view === "library") byId(view === "ask" ? "answer" : "library-frame").before(byId("uploads"));
  if (view === "ask") ask.open(parameters.c);
  if (view === "library") library.load();
  if (view === "history") conversations.load();
}

/** @param {File[]} files */
function takeFiles(files) {
  if (byId("view-library").hidden) location.hash = "#/ask";
  uploads.add(files);
}

const uploads = new Uploads(byId("uploads"), () => {
  refresh();
  if (!byId("view-library").hidden) library.load();
});
const fileInput = byId("files", HTMLInputElement);
for (const id of ["add-files", "library-add"]) byId(id).addEventListener("click", () => fileInput.click());
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
