// @ts-check
/** The state of the page in its address: `#/ask`, `#/search`, `#/trajectories?file=...&row=...`. */

/**
 * Where the address points: the view and its parameters.
 * @typedef {Record<string, string | number | null | undefined>} Parameters
 * @returns {{view: "ask" | "search" | "trajectories", parameters: Record<string, string>}}
 */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const isViewer = path === "trajectories" || (path === "" && location.pathname === "/viewer");
  return { view: isViewer ? "trajectories" : path === "search" ? "search" : "ask", parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The address of a view; values that are empty are left out.
 * @param {string} view
 * @param {Parameters} parameters
 */
export function hashOf(view, parameters = {}) {
  const filled = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(filled.map(([name, value]) => [name, String(value)]));
  return filled.length ? `#/${view}?${query}` : `#/${view}`;
}

/**
 * Go there without a new entry in the history, for changes too small to go back to.
 * @param {string} view
 * @param {Parameters} parameters
 */
export function replaceRoute(view, parameters) {
  history.replaceState(null, "", hashOf(view, parameters));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/**
 * Calls `show` now and whenever the address changes.
 * @param {(where: ReturnType<typeof route>) => void} show
 */
export function followRoute(show) {
  addEventListener("hashchange", () => show(route()));
  show(route());
}
