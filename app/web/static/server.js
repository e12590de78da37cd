/** The server's answers: JSON, streams of events and errors. */

/** An answer that is an error, or no answer at all (`status` 0). */
export class ServerError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Whether the server knows this token; its page then keeps it as a cookie. */
export async function acceptsToken(token) {
  const response = await reach("/v1/status", { headers: { Authorization: `Bearer ${token}` }, credentials: "omit" });
  return response.ok;
}

/** The JSON at `path`, with `query` values that are not empty. */
export async function getJson(path, query = {}, signal = undefined) {
  const response = await reach(address(path, query), { signal });
  return response.json();
}

/** The events of a question as `{event, data}`, ended by closing the connection through `signal`. */
export async function* ask(question, signal) {
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const response = await reach("/v1/ask", { method: "POST", headers, body: JSON.stringify(question), signal });
  yield* events(response.body);
}

/** `path` with the given values as its query. */
export function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const parameters = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  return given.length ? `${path}?${parameters}` : path;
}

/** What an error response says, whatever its body is. */
export function errorOf(status, body) {
  try {
    const { code, message } = JSON.parse(body).error;
    return new ServerError(status, String(code), String(message));
  } catch {
    return new ServerError(status, "unexpected", `The server answered with status ${status}.`);
  }
}

async function reach(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "unreachable", "The server does not answer.");
  }
  if (!response.ok) throw errorOf(response.status, await response.text());
  return response;
}

/** Server-sent events of a response body. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text = (text + value).replaceAll("\r\n", "\n");
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event !== null) yield event;
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "cut_off", "The connection broke off before the answer was there.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** One event, or null for a comment that only keeps the connection open. */
function parsed(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
