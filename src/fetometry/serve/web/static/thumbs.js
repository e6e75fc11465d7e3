// The images of an exam, small: plane, quality, and what became of each.

import * as api from "./api.js";
import { h } from "./dom.js";
import { choose, leading, shown, state, warnings } from "./state.js";
import { planeText, qualityText } from "./words.js";

/** The list of thumbnails. */
export function thumbs() {
  const exam = shown();
  if (!exam) return [];
  return h("ul", { class: "thumbs" }, exam.images.map((image) => thumb(exam, image)));
}

function thumb(exam, image) {
  const found = leading(image);
  const current = image.image === state.image;
  const busy = exam.state === "measuring" && !found && !image.problems.length;
  return h(
    "li",
    { "data-key": image.image },
    h(
      "button",
      {
        type: "button",
        class: "thumb",
        "aria-current": current ? "true" : null,
        onclick: () => choose(image.image),
      },
      h(
        "span",
        { class: "small-picture" },
        image.width
          ? h("img", {
              src: api.pictureUrl(exam.id, image.image, found?.frame ?? image.best_frame ?? 1, 240),
              alt: "",
              loading: "lazy",
            })
          : h("span", { class: "no-picture" }, "no picture"),
      ),
      h(
        "span",
        { class: "thumb-text" },
        h("strong", {}, title(image, found, busy)),
        h("span", { class: "dim" }, detail(image, found)),
        h("span", { class: "marks" }, marks(image, found)),
      ),
    ),
  );
}

function title(image, found, busy) {
  if (busy) return "Being measured\u2026";
  const fetus = found?.fetus ? `, fetus ${found.fetus}` : "";
  return found ? `${planeText(found.plane)}${fetus}` : "Not measured";
}

function detail(image, found) {
  const loop = image.frames > 1 ? `${image.frames} frames, ` : "";
  const seen = found && found.plane !== "none";
  return `${loop}${seen ? qualityText(found.quality) : image.name}`;
}

function marks(image, found) {
  const said = [];
  if (image.rejected || found?.rejected) said.push(["rejected", "\u2715", "rejected"]);
  else if (image.findings.some((one) => one.counts)) said.push(["counts", "\u2713", "counts"]);
  else if (found && found.plane !== "none") said.push(["spare", "\u2013", "does not count"]);
  if (image.findings.some((one) => one.edited)) said.push(["edited", "\u270e", "edited"]);
  if (warnings(found).length) said.push(["flagged", "!", "check"]);
  else if (!found && image.problems.length) said.push(["flagged", "!", "see why"]);
  return said.map(([kind, sign, word]) =>
    h(
      "span",
      { class: `mark ${kind}`, "data-key": kind },
      h("span", { "aria-hidden": "true", class: "sign" }, sign),
      word,
    ),
  );
}
