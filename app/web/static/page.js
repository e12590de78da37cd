/** The page: views, status, uploads and keys put together. */

import { adviceFor } from "./advice.js";
import { AskView } from "./ask.js";
import { Details } from "./details.js";
import { byId } from "./dom.js";
import { followRoute } from "./route.js";
import { getJson } from "./server.js";
import { Settings } from "./settings.js";
import { showNotices, showStatus, showTokenForm, showUnreachable } from "./status.js";
import { startTheme } from "./theme.js";
import { TrajectoriesView } from "./trajectories.js";
import { Uploads, acceptDrops } from "./uploads.js";

const details = new Details(byId("details"));
const settings = new Settings();
const ask = new AskView(details, settings);
const trajectories = new TrajectoriesView(byId("view-trajectories"), details);
let takesFiles = false;

async function refresh() {
  try {
    const status = await getJson("/v1/status");
    takesFiles = status.upload;
    settings.offer(status);
    showStatus(byId("status"), status);
    showNotices(byId("notices"), status, refresh);
  } catch (error) {
    if (error.status === 401) showTokenForm(byId("notices"));
    else showUnreachable(byId("notices"), error.message, adviceFor(error), refresh);
  }
}

function show({ view, parameters }) {
  const isAsk = view === "ask";
  byId("view-ask").hidden = !isAsk;
  byId("view-trajectories").hidden = isAsk;
  document.body.classList.toggle("view-ask", isAsk);
  for (const [tab, isHere] of [["tab-ask", isAsk], ["tab-trajectories", !isAsk]]) {
    if (isHere) byId(tab).setAttribute("aria-current", "page");
    else byId(tab).removeAttribute("aria-current");
  }
  details.close();
  if (isAsk) document.title = "VimRAG";
  else trajectories.show(parameters);
}

function takeFiles(files) {
  location.hash = "#/ask";
  uploads.add(files);
}

const uploads = new Uploads(byId("uploads"), refresh);
byId("add-files").addEventListener("click", () => byId("files").click());
byId("files").addEventListener("change", (event) => {
  takeFiles([...event.target.files]);
  event.target.value = "";
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
