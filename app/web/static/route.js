// @ts-check
/** The state of the page in its address: `#/ask?c=...`, `#/library`, `#/history`, `#/search`, `#/trajectories?file=...&row=...`. */

/**
 * Where the address points: the view and its parameters.
 * @typedef {Record<string, string | number | null | undefined>} Parameters
 * @typedef {"ask" | "library" | "history" | "search" | "trajectories"} View
 * @returns {{view: View, parameters: Record<string, string>}}
 */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const isViewer = path === "trajectories" || (path === "" && location.pathname === "/viewer");
  const known = /** @type {View[]} */ (["library", "history", "search"]).find((name) => name === path);
  return { view: isViewer ? "trajectories" : (known ?? "ask"), parameters: Object.fromEntries(new URLSearchParams(query)) };
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
 * Let the address say where the reader is, without going anywhere.
 * @param {string} view
 * @param {Parameters} parameters
 */
export function noteRoute(view, parameters) {
  history.replaceState(null, "", hashOf(view, parameters));
}

/**
 * Calls `show` now and whenever the address changes.
 * @param {(where: ReturnType<typeof route>) => void} show
 */
export function followRoute(show) {
  addEventListener("hashchange", () => show(route()));
  show(route());
}
