// How large a pixel is, where the file does not say: typed, or from a distance that is known.

import { button, field, h } from "./dom.js";
import { editOf, kept } from "./edits.js";
import { length, minus } from "./geometry.js";
import { change, picture, state, tell } from "./state.js";
import { decimal, scaleOf, scaleText } from "./words.js";

const NAME = "Known distance";
const DIGITS = 6; // of a scale that is counted from a line

/** The scale of an image that has none of its own. */
export function scale(image) {
  if (!image.may_calibrate) return null;
  return state.ruler ? ruled() : typed(image);
}

function typed(image) {
  const submit = (event) => {
    event.preventDefault();
    set(event.target.elements["mm-per-px"].value);
  };
  return h(
    "form",
    { class: "inline-form scale", onsubmit: submit, "data-key": "scale" },
    field("mm-per-px", "Millimetres per pixel", {
      inputmode: "decimal", required: true, autocomplete: "off",
      value: image.spacing_mm && scaleText(image.spacing_mm),
    }),
    h("button", { type: "submit" }, "Set"),
    button("Known distance\u2026", begin, {
      id: "known-distance",
      title: "Draw a line over a distance that is known, such as the depth ruler",
    }),
  );
}

function set(text) {
  const scale = scaleOf(text);
  if (scale) kept(editOf("spacing", { mm_per_px: scale }));
  else tellNoScale(text);
}

/** Say that a scale cannot be read, and what can. */
export function tellNoScale(text) {
  tell(
    `\u201c${text}\u201d is not a size of a pixel. Give one number, such as 0.12, or two for ` +
      "row and column, such as 0.12 x 0.15.",
    { title: "Not accepted", kind: "error" },
  );
}

/** Put a line upright in the middle, for keys and for who only has to pull its ends. */
function begin() {
  const { width, height } = picture();
  const at = Math.round(width / 2);
  change({
    ruler: [[Math.round(height * 0.3), at], [Math.round(height * 0.7), at]],
    rulerMm: "", drawing: false, draft: null, shown: null, overlay: true, message: null,
  });
  focusSoon("handle-end-0");
}

/** Stop without setting anything. */
export function endRuler() {
  if (!state.ruler) return;
  change({ ruler: null });
  focusSoon("known-distance");
}

/** After the page has been brought up to date. */
const focusSoon = (id) => setTimeout(() => document.getElementById(id)?.focus());

/** The line as the handles have it. */
export const rulerShape = () => state.ruler && { name: NAME, ends: state.ruler };

/** Take the line as it is under the hand; its ends stay in the picture. */
export function moveRuler(ends) {
  const { width, height } = picture();
  const within = (value, size) => Math.min(Math.max(value, -0.5), size - 0.5);
  change({ ruler: ends.map(([row, col]) => [within(row, height), within(col, width)]) });
}

/** How long the line is, in words. */
export const rulerText = () => `${rulerLength().toFixed(1)} pixels`;

const rulerLength = () => length(minus(...state.ruler));

function ruled() {
  const mm = decimal(state.rulerMm);
  const one = mm > 0 && rulerLength() > 0 ? mm / rulerLength() : 0;
  return h(
    "form",
    { class: "ruler-form", onsubmit: apply, "data-key": "ruler" },
    field("ruler-mm", "The line is this long, in millimetres", {
      inputmode: "decimal", required: true, autocomplete: "off",
      oninput: (event) => change({ rulerMm: event.target.value }),
    }),
    h("button", { type: "submit", class: "primary" }, "Set the scale"),
    button("Cancel", endRuler),
    h(
      "p",
      { class: "dim small" },
      `The line is ${rulerText()} long`,
      one ? `: ${scaleText([one, one])} mm per pixel.` : ".",
    ),
  );
}

function apply(event) {
  event.preventDefault();
  const text = event.target.elements["ruler-mm"].value;
  const mm = decimal(text);
  if (!(mm > 0)) {
    return tell(`\u201c${text}\u201d is not a length in millimetres.`, {
      title: "Not accepted", kind: "error",
    });
  }
  if (!(rulerLength() > 1)) {
    return tell("The two ends of the line lie on each other: pull them apart.", {
      title: "Not accepted", kind: "error",
    });
  }
  const one = Number((mm / rulerLength()).toPrecision(DIGITS));
  kept(editOf("spacing", { mm_per_px: [one, one] }));
  endRuler();
}
