// The bar over the picture, the numbers under it, and the frames of a cine loop.

import { button, h, s } from "./dom.js";
import { reset, undone } from "./edits.js";
import { target, targets } from "./handles.js";
import { change, chooseFrame, finding, leave, picture, state } from "./state.js";
import { fit, look, looks, zoomBy } from "./viewer.js";
import { capital, planeText, rangeText, valueText } from "./words.js";

/** The bar over the picture. */
export function toolbar() {
  const now = picture();
  if (!now) return [];
  const found = finding();
  const there = Boolean(now.width);
  const editable = there && Boolean(target()) && !found.rejected;
  return [
    h(
      "div",
      { class: "group", role: "group", "aria-label": "Zoom" },
      button("\u2212", () => zoomBy(1 / 1.25), { "aria-label": "Zoom out", disabled: !there }),
      button("Fit", fit, { disabled: !there }),
      button("+", () => zoomBy(1.25), { "aria-label": "Zoom in", disabled: !there }),
    ),
    h(
      "div",
      { class: "group", role: "group", "aria-label": "Correct" },
      button("Draw", () => drawAgain(), {
        "aria-pressed": String(state.drawing),
        disabled: !editable,
        title: "Draw the outline or the line again: press, drag from end to end, release",
      }),
      button("Undo", undone, { disabled: !state.exam?.edits, title: "Undo (Ctrl+Z)" }),
      button("Reset", reset, {
        disabled: !found?.edited,
        title: "Back to the model\u2019s proposal (R)",
      }),
      button("Overlay", () => change({ overlay: !state.overlay }), {
        "aria-pressed": String(state.overlay),
        title: "Hide or show what is drawn (H)",
      }),
    ),
    h(
      "div",
      { class: "group looks" },
      slider("brightness", "Brightness", 40, 250),
      slider("contrast", "Contrast", 40, 250),
    ),
  ];
}

/** Begin to draw a shape again, or stop. */
export function drawAgain() {
  const on = !state.drawing;
  change({ drawing: on, ruler: null, draft: null, shown: null });
  if (on) document.getElementById("stage").focus();
}

function slider(name, label, min, max) {
  return h(
    "label",
    { class: "look" },
    h("span", {}, label),
    h("input", {
      type: "range", min, max, step: 5, value: looks()[name], id: `look-${name}`,
      oninput: (event) => look(name, Number(event.target.value)),
    }),
  );
}

/** The measurements of the frame, each with its line as it is drawn; pressing one moves it. */
export function readout() {
  const found = finding();
  if (!found) return [];
  const places = targets();
  return found.measurements.map((measured) => {
    const active = measured.name === target();
    const range = rangeText(measured.low, measured.high, measured.unit);
    return h(
      "button",
      {
        type: "button",
        class: "reading",
        "data-key": measured.name,
        "aria-pressed": String(active),
        disabled: !places.includes(measured.name),
        title: `${measured.convention}. Press to move it.`,
        onclick: () => aim(measured.name),
      },
      swatch(measured.name),
      h("span", { class: "name" }, measured.name),
      h("span", { class: "value" }, valueText(measured.value, measured.unit)),
      h("span", { class: "range" }, range || (measured.flags.includes("edited") ? "by hand" : "")),
    );
  });
}

function aim(name) {
  leave();
  change({ target: name, ruler: null, draft: null, shown: null });
}

/** A piece of the line that a measurement is drawn with. */
export function swatch(name) {
  return s(
    "svg",
    { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" },
    s("line", { x1: 1, y1: 4, x2: 25, y2: 4, class: `shape m-${name}` }),
  );
}

/** What stands in the place of a picture. */
export function noPicture() {
  const now = picture();
  if (!now) return "Drop images here, or choose an exam from the lists.";
  if (now.width) return "";
  return now.problems.length ? problemText(now.problems[0], now) : "This file has no picture.";
}

/** Why something is not measured, without the name of the file that is shown anyway. */
export const problemText = (problem, image) =>
  capital(problem.reason.replaceAll(`${image.name}: `, ""));

/** What stands over the picture where nothing is measured in it, or something is to be done. */
export function hint() {
  const now = picture();
  if (!now) return "";
  if (state.ruler) return "Drag over a distance that is known, from end to end, or pull the ends.";
  if (state.drawing) {
    return "Press at one end, drag to the other end, release. Enter puts it in the middle.";
  }
  const found = finding();
  if (found?.rejected) return `Rejected: ${found.reason || "it does not count"}`;
  if (found?.to_place) return "No model saw it here. Place it: it counts once you have.";
  if (!found && state.exam?.state === "measuring") return "Being measured\u2026";
  if (!found && now.width && now.frames > 1) return "Nothing was measured in this frame.";
  return "";
}

/** The frames of a cine loop: quality by frame, the best one marked, and a slider. */
export function frames() {
  const now = picture();
  if (!now || now.frames < 2) return [];
  const by = new Map(now.findings.map((found) => [found.frame, found]));
  const share = (part) => `${(100 * part) / now.frames}%`;
  const bars = Array.from({ length: now.frames }, (_, k) => {
    const found = by.get(k + 1);
    const tall = found ? 3 + 15 * found.quality : 1;
    return s("rect", {
      x: share(k + 0.12), width: share(0.76), y: 32 - tall, height: tall,
      class: k + 1 === state.frame ? "now" : null,
    });
  });
  const best = now.best_frame;
  const star = best && s("text", { x: share(best - 0.5), y: 11 }, "\u2605");
  return [
    h("label", { for: "frame", class: "frame-name" }, `Frame ${state.frame} of ${now.frames}`),
    h(
      "div",
      { class: "frame-track" },
      s(
        "svg",
        { class: "bars", "aria-hidden": "true" },
        bars,
        star,
      ),
      h("input", {
        type: "range", id: "frame", min: 1, max: now.frames, step: 1, value: state.frame,
        "aria-valuetext": frameText(by.get(state.frame), best),
        oninput: (event) => chooseFrame(Number(event.target.value)),
      }),
    ),
    best && button(`\u2605 Best: ${best}`, () => chooseFrame(best), {
      "aria-label": `Go to the best frame, ${best}`,
      "aria-pressed": String(state.frame === best),
    }),
  ];
}

function frameText(found, best) {
  const what = found ? planeText(found.plane) : "nothing measured";
  return `Frame ${state.frame}${state.frame === best ? ", the best" : ""}: ${what}`;
}
