// @ts-check
/** The status line, and notices about what is missing before a question can be asked. */

import { button, element, fill } from "./dom.js";
import { count, counted } from "./format.js";
import { ServerError, acceptsToken, messageOf } from "./server.js";

/** @import { IndexStatus, ServerStatus } from "../wire.js" */

/**
 * One line: model, items, datasets.
 * @param {HTMLElement} line
 * @param {ServerStatus} status
 */
export function showStatus(line, status) {
  const { model, index, sees_pictures } = status;
  fill(
    line,
    element("span", { class: model ? "" : "missing", title: `version ${status.version}` }, model ? shortName(model) : "no model"),
    sees_pictures === false && element("span", { class: "missing", title: "The model reads no pictures; pages are shown to it as text." }, "text only"),
    element("span", { class: index ? "" : "missing", title: index ? datasetsOf(index) : "" }, index ? counted(index.items, "item") : "no index"),
    index && element("span", { class: "datasets" }, datasetsOf(index)),
  );
}

/**
 * What to do first, in place of an answer that cannot come.
 * @param {HTMLElement} place
 * @param {ServerStatus} status
 * @param {() => void} retry
 */
export function showNotices(place, status, retry) {
  const root = status.root || "ROOT";
  const notices = [];
  if (!status.index) {
    const how = status.upload ? "Add files here, or build the index in a terminal:" : "Build the index in a terminal, then look again:";
    notices.push(notice("There is nothing to search yet", how, [`vimrag ingest FILES --root ${root}`]));
  }
  if (!status.model) {
    const commands = [`vimrag serve --root ${root} --model CHECKPOINT`, `vimrag serve --root ${root} --endpoint URL --model NAME`];
    notices.push(notice("No model answers yet", "Start the server with a checkpoint folder, or with a model behind an endpoint:", commands));
  }
  notices.at(-1)?.append(again(retry));
  fill(place, notices);
}

/**
 * The server could not be asked at all.
 * @param {HTMLElement} place
 * @param {string} message
 * @param {string} advice
 * @param {() => void} retry
 */
export function showUnreachable(place, message, advice, retry) {
  const block = notice(message, advice, []);
  block.append(again(retry));
  fill(place, block);
}

/**
 * Ask for the token that the server needs; its page takes it as a cookie and comes back without it in the address.
 * @param {HTMLElement} place
 */
export function showTokenForm(place) {
  const input = element("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const problem = element("p", { class: "error-line", role: "alert" });
  const form = element(
    "form",
    { class: "notice" },
    element("h2", {}, "This server needs a token"),
    element("label", { for: "token" }, "Token, as vimrag serve printed it"),
    element("div", { class: "notice-actions" }, input, element("button", { type: "submit", class: "strong" }, "Use it")),
    problem,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    try {
      await acceptsToken(token);
      location.assign(`${location.pathname}?token=${encodeURIComponent(token)}${location.hash}`);
    } catch (error) {
      const isUnknown = error instanceof ServerError && error.status === 401;
      fill(problem, isUnknown ? "The server does not know this token." : messageOf(error));
    }
  });
  fill(place, form);
  input.focus();
}

/**
 * @param {string} title
 * @param {string} how
 * @param {string[]} commands
 */
function notice(title, how, commands) {
  return element(
    "div",
    { class: "notice" },
    element("h2", {}, title),
    how && element("p", {}, how),
    commands.map((command) => element("pre", {}, element("code", {}, command))),
  );
}

/** @param {() => void} retry */
function again(retry) {
  return element("div", { class: "notice-actions" }, button("Look again", retry, { class: "quiet" }));
}

/** @param {IndexStatus} index */
function datasetsOf({ datasets }) {
  const names = Object.entries(datasets ?? {});
  return names.map(([name, number]) => `${name} ${count(number)}`).join(", ");
}

/**
 * The last part of a path of a checkpoint; a model's name as it is.
 * @param {string} model
 */
function shortName(model) {
  const parts = model.replace(/\/+$/, "").split("/");
  return parts.length > 2 ? parts.slice(-2).join("/") : model;
}
