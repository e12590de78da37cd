// @ts-check
/** What a reader can do about an error. */

/** @type {Record<string, string>} */
const BY_CODE = {
  unreachable: "Is vimrag serve still running? Start it again and ask once more.",
  cut_off: "Look at the terminal in which vimrag serve runs, then ask again.",
  endpoint: "Look after the server of the model, then ask again.",
  no_index: "Build an index first: vimrag ingest FILES --root ROOT.",
  refused: "Change the question or its settings and ask again.",
  timeout: "What was found is shown. Ask for less at once, or give the model more patience.",
  interrupted: "What was found until then is kept. Ask again.",
  stopped: "Ask again when you like.",
  no_model: "Start vimrag serve with --model, or with --endpoint.",
};
/** @type {Record<number, string>} */
const BY_STATUS = {
  400: "Change the question or its settings and ask again.",
  401: "Give the token that vimrag serve printed when it started.",
  403: "Open the page under the address that vimrag serve printed.",
  404: "It may have been removed since; reload the page.",
  413: "Choose a smaller file, or add it on the command line with vimrag ingest.",
  429: "Other questions are running. Ask again in a moment.",
};

/**
 * A sentence for an error, above all for a `ServerError`.
 * @param {unknown} error
 */
export function adviceFor(error) {
  const { status = 0, code = "" } = /** @type {{status?: number, code?: string}} */ (error);
  return BY_CODE[code] ?? BY_STATUS[status] ?? "The terminal in which vimrag serve runs says more.";
}
