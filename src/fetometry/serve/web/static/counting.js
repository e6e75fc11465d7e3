// Whether an image counts, and the rejection of one that does not, with its reason.

import { button, field, h } from "./dom.js";
import { editOf, kept } from "./edits.js";
import { change, finding, picture, state } from "./state.js";
import { capital, qualityText } from "./words.js";

const REASONS = ["not a good plane", "poor picture", "another patient", "a duplicate"];
const MOST_LETTERS = 200;

/** A sign beside words that say the same. */
export const sign = (shape, kind = "") =>
  h("span", { class: `sign ${kind}`, "aria-hidden": "true" }, shape);

/** What counts, and how that is changed. */
export function counting(image, found) {
  if (found.rejected) return rejected(image, found);
  return h(
    "div",
    { class: "counting", "data-key": "counting" },
    h(
      "span",
      {},
      found.counts ? [sign("\u2713", "good"), "Counts"] : "Does not count",
      `, ${qualityText(found.quality)}`,
    ),
    found.counts ? null : button("Let this count", count),
    rejecting(image),
  );
}

function rejected(image, found) {
  const what = image.rejected || image.frames < 2 ? "Rejected" : "This frame is rejected";
  return h(
    "div",
    { class: "counting rejected", "data-key": "counting" },
    h("span", {}, sign("\u2715"), what, found.reason && `: ${found.reason}`),
    button("Take back", () => takeBack(image)),
  );
}

function takeBack(image) {
  kept(editOf("reject", { rejected: false, reason: "" }, { thisFrame: !image.rejected }));
}

function rejecting(image) {
  const submit = (event) => {
    event.preventDefault();
    reject(event.target.elements["reject-reason"].value.trim());
  };
  return h(
    "details",
    { class: "reject", "data-key": `reject-${state.image}-${state.frame}` },
    h("summary", {}, "Reject\u2026"),
    image.frames > 1 &&
      h(
        "label",
        { class: "tick" },
        h("input", {
          type: "checkbox", id: "reject-frame", checked: state.rejectFrame,
          onchange: (event) => change({ rejectFrame: event.target.checked }),
        }),
        h("span", {}, `This frame only, and not all ${image.frames} of the cine loop`),
      ),
    h(
      "div",
      { class: "row" },
      REASONS.map((reason) => button(capital(reason), () => reject(reason))),
    ),
    h(
      "form",
      { class: "inline-form", onsubmit: submit },
      field("reject-reason", "Another reason", {
        required: true, maxlength: MOST_LETTERS, autocomplete: "off",
      }),
      h("button", { type: "submit" }, "Reject"),
    ),
  );
}

/** This frame is the one that counts for its plane and fetus. */
export function count() {
  const found = finding();
  if (found && !found.rejected) kept(editOf("choose", { plane: found.plane, fetus: found.fetus }));
}

/** The image does not count; a second time it does again. */
export function reject(reason = REASONS[0]) {
  const found = finding();
  if (!found) return;
  if (found.rejected) return takeBack(picture());
  kept(editOf("reject", { rejected: true, reason }, { thisFrame: state.rejectFrame }));
  change({ rejectFrame: false });
}
