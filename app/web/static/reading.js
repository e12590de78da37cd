// @ts-check
/** How far the server has come with a file that it reads: asked once a second until somebody says stop. */

import { count, duration } from "./format.js";
import { getJson } from "./server.js";

/** @import { Reading, ReadingStage } from "../wire.js" */

const INTERVAL_MS = 1000;

const STAGES = /** @type {Record<string, string>} */ ({ files: "files read", embed: "embedded for search" });

/**
 * Calls `show` with a line, and the share that is done if it is known, as long as something is read.
 * @param {(line: string, share: number | null) => void} show
 * @returns {() => void} to stop with
 */
export function watchReading(show) {
  let stopped = false;
  const ask = async () => {
    try {
      const { reading } = /** @type {Reading} */ (await getJson("/v1/reading"));
      if (!stopped && reading !== null) show(stageLine(reading), reading.total ? reading.done / reading.total : null);
    } catch {
      // whoever waits for the answer hears what is wrong
    }
    if (!stopped) timer = setTimeout(ask, INTERVAL_MS);
  };
  let timer = setTimeout(ask, INTERVAL_MS);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/**
 * `minutes heard: 5 of 60, about 11 min 0 s left`.
 * @param {ReadingStage} reading
 */
export function stageLine({ stage, done, total, seconds }) {
  const name = STAGES[stage] ?? stage.replace(/^documents: /, "");
  if (total === null) return `${name}: ${count(done)}`;
  const left = done > 0 && done < total && seconds >= 1 ? `, about ${duration((seconds * (total - done)) / done)} left` : "";
  return `${name}: ${count(done)} of ${count(total)}${left}`;
}
