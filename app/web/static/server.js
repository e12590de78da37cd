// @ts-check
/** The server's answers: JSON, streams of events and errors. */

import { readEvents } from "./sse.js";

/** @import { AskEvent, AskRequest } from "../wire.js" */

/** An answer that is an error, or no answer at all (`status` 0). */
export class ServerError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Whether the server knows this token; its page then keeps it as a cookie.
 * @param {string} token
 */
export async function acceptsToken(token) {
  const response = await reach("/v1/status", { headers: { Authorization: `Bearer ${token}` }, credentials: "omit" });
  return response.ok;
}

/**
 * The JSON at `path`, with `query` values that are not empty; `wire.d.ts` says which type it has.
 * @param {string} path
 * @param {Query} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function getJson(path, query = {}, signal = undefined) {
  const response = await reach(address(path, query), { signal });
  return response.json();
}

/**
 * The answer to a JSON body.
 * @param {string} path
 * @param {Record<string, unknown>} body
 * @returns {Promise<any>}
 */
export async function sendJson(path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await reach(path, { method: "POST", headers, body: JSON.stringify(body) });
  return response.json();
}

/**
 * The answer to a file, whose bytes are the body.
 * @param {string} path
 * @param {File} file
 * @returns {Promise<any>}
 */
export async function sendPicture(path, file) {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await reach(path, { method: "POST", headers, body: file });
  return response.json();
}

/** @param {string} path of what is to be no more */
export async function remove(path) {
  await reach(path, { method: "DELETE" });
}

/**
 * The events of a question; it goes on when the connection ends, until it is over or stopped.
 * @param {AskRequest} question
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AskEvent>}
 */
export async function* ask(question, signal) {
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const body = JSON.stringify({ ...question, detached: true, keep: true });
  yield* eventsOf(await reach("/v1/ask", { method: "POST", headers, body, signal }));
}

/**
 * The events of a question that is under way or was lately, from its beginning.
 * @param {string} askId
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AskEvent>}
 */
export async function* follow(askId, signal) {
  yield* eventsOf(await reach(`/v1/ask/${encodeURIComponent(askId)}`, { signal }));
}

/**
 * Stop a question, or have it answered with what was found; one that is over is left alone.
 * @param {string} askId
 * @param {"stop" | "answer"} wish
 */
export async function tell(askId, wish) {
  const path = `/v1/ask/${encodeURIComponent(askId)}`;
  try {
    await (wish === "stop" ? reach(path, { method: "DELETE" }) : reach(`${path}/answer`, { method: "POST" }));
  } catch (error) {
    if (!(error instanceof ServerError) || error.status !== 404) throw error;
  }
}

/**
 * @param {Response} response
 * @returns {AsyncGenerator<AskEvent>}
 */
async function* eventsOf(response) {
  try {
    if (response.body !== null) yield* /** @type {AsyncGenerator<AskEvent>} */ (readEvents(response.body));
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ServerError(0, "cut_off", "The connection broke off before the answer was there.");
  }
}

/**
 * `path` with the values of `query` that are not empty.
 * @typedef {Record<string, string | number | null | undefined>} Query
 * @param {string} path
 * @param {Query} query
 */
export function address(path, query) {
  const filled = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const parameters = new URLSearchParams(filled.map(([key, value]) => [key, String(value)]));
  return filled.length ? `${path}?${parameters}` : path;
}

/**
 * What an error response says, whatever its body is.
 * @param {number} status
 * @param {string} body
 */
export function errorOf(status, body) {
  try {
    const { code, message } = JSON.parse(body).error;
    return new ServerError(status, String(code), String(message));
  } catch {
    return new ServerError(status, "unexpected", `The server answered with status ${status}.`);
  }
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {unknown} error */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

/**
 * @param {string} url
 * @param {RequestInit} options
 */
async function reach(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ServerError(0, "unreachable", "The server does not answer.");
  }
  if (!response.ok) throw errorOf(response.status, await response.text());
  return response;
}
