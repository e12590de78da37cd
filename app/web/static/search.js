// @ts-check
/** The Search view: by words or by a picture, with the pictures of what was found. */

import { button, byId, element, fill } from "./dom.js";
import { address as withQuery, messageOf, sendJson, sendPicture } from "./server.js";
import { itemImage, mediaAddress } from "./media.js";

/** @import { HitList, SearchHit, ServerStatus } from "../wire.js" */

const HITS = 12;
const SIDE = 220; // pixels of a thumbnail
const SNIPPET = 240; // characters

export class SearchView {
  constructor() {
    this.form = byId("search-form", HTMLFormElement);
    this.words = byId("search-words", HTMLInputElement);
    this.modality = byId("search-modality", HTMLSelectElement);
    this.picture = byId("search-picture", HTMLInputElement);
    this.choose = byId("search-choose", HTMLButtonElement);
    this.results = byId("search-results");
    this.asked = 0;
    /** @type {string | null} */
    this.shown = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const query = this.words.value.trim();
      if (query) this.#find(sendJson("/v1/search", { query, top_k: HITS, ...this.#kind() }), []);
    });
    this.choose.addEventListener("click", () => this.picture.click());
    this.picture.addEventListener("change", () => {
      const file = this.picture.files?.[0];
      this.picture.value = "";
      if (file) this.byPicture(file);
    });
  }

  /**
   * A picture can be searched by where the index sees.
   * @param {ServerStatus} status
   */
  offer(status) {
    this.choose.hidden = !status.index?.sees;
  }

  /** @param {File} file */
  byPicture(file) {
    if (this.shown !== null) URL.revokeObjectURL(this.shown);
    this.shown = URL.createObjectURL(file);
    const like = element("figure", { class: "searched" }, element("img", { src: this.shown, alt: file.name, width: SIDE / 2 }), element("figcaption", {}, `Like ${file.name}`));
    this.#find(sendPicture(withQuery("/v1/search/image", { top_k: HITS, ...this.#kind() }), file), [like]);
  }

  #kind() {
    return this.modality.value ? { modality: this.modality.value } : {};
  }

  /**
   * @param {Promise<HitList>} answer
   * @param {Node[]} before what stands above the results
   */
  async #find(answer, before) {
    const turn = ++this.asked; // a later search overtakes an earlier one
    this.results.setAttribute("aria-busy", "true");
    let shown;
    try {
      const { hits } = await answer;
      const none = element("p", { class: "aside" }, "Nothing was found.");
      shown = hits.length ? [element("ol", { class: "hits" }, hits.map((hit) => element("li", {}, card(hit))))] : [none];
    } catch (error) {
      shown = [element("p", { class: "error-line", role: "alert" }, messageOf(error))];
    }
    if (turn !== this.asked) return;
    this.results.removeAttribute("aria-busy");
    fill(this.results, ...before, ...shown);
  }
}

/** @param {SearchHit} hit */
function card({ id, title, text, modality, dataset, media }) {
  const name = title || id;
  const said = text.replace(/\s+/g, " ").trim();
  const picture =
    media !== null &&
    element(
      "a",
      { href: mediaAddress(id), target: "_blank", rel: "noreferrer", title: "Open the image" },
      itemImage(id, { alt: name, width: SIDE, height: SIDE }),
    );
  const body = element(
    "div",
    {},
    element("h3", {}, name),
    element("p", { class: "aside" }, `${modality} · ${dataset}`),
    said && element("p", { class: "snippet" }, said.length > SNIPPET ? `${said.slice(0, SNIPPET)}…` : said),
    said.length > SNIPPET && button("All of it", () => body.querySelector(".snippet")?.replaceChildren(said), { class: "quiet" }),
  );
  return element("article", { class: "hit", "data-item": id }, picture, body);
}
