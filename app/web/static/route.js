/** The state of the page in its address: `#/ask`, `#/trajectories?file=...&row=...`. */

/** Where the address points: the view and its parameters. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const isViewer = path === "trajectories" || (path === "" && location.pathname === "/viewer");
  return { view: isViewer ? "trajectories" : "ask", parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view; values that are empty are left out. */
export function hashOf(view, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `#/${view}?${new URLSearchParams(given)}` : `#/${view}`;
}

/** Go there without a new entry in the history, for changes too small to go back to. */
export function replaceRoute(view, parameters) {
  history.replaceState(null, "", hashOf(view, parameters));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Calls `show` now and whenever the address changes. */
export function followRoute(show) {
  addEventListener("hashchange", () => show(route()));
  show(route());
}
