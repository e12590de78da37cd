// @ts-check
/** A button for what cannot be undone: the first press asks, the second within a few seconds does it. */

import { button, fill } from "./dom.js";

const PATIENCE_MS = 5000;

/**
 * @param {string} label
 * @param {string} question what it says after the first press
 * @param {() => void} act
 * @param {import("./dom.js").Properties} properties
 */
export function confirmed(label, question, act, properties = {}) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const settle = () => {
    clearTimeout(waiting);
    waiting = undefined;
    fill(made, label);
    made.classList.remove("asking");
  };
  const made = button(
    label,
    () => {
      if (waiting !== undefined) {
        settle();
        act();
        return;
      }
      fill(made, question);
      made.classList.add("asking");
      waiting = setTimeout(settle, PATIENCE_MS);
    },
    properties,
  );
  return made;
}
