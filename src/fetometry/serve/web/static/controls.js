// What may be said about the image that is shown: plane, fetus, whether it counts, criteria.

import { counting, sign } from "./counting.js";
import { button, field, h } from "./dom.js";
import { editOf, kept } from "./edits.js";
import { proper } from "./geometry.js";
import { asEdit, shape } from "./handles.js";
import { scale } from "./scale.js";
import { finding, measured, picture, PLANES, shown, state, tell, warnings } from "./state.js";
import { problemText } from "./tools.js";
import { capital, decimal, planeText, scaleText } from "./words.js";

/** All controls of the image that is shown. */
export function controls() {
  const image = picture();
  if (!image) return [];
  const found = finding();
  if (!image.width || !measured()) return [said(image, found), file(image)];
  const seen = found && found.plane !== "none";
  return [
    said(image, found),
    scale(image),
    h(
      "div",
      { class: "choices" },
      planes(found),
      seen ? [fetuses(found), counting(image, found)] : null,
    ),
    seen ? criteria(found) : null,
    h("div", { class: "details" }, file(image), seen ? byNumbers(found) : null),
  ];
}

function file(image) {
  const mm = image.spacing_mm && scaleText(image.spacing_mm);
  const size = mm ? `${mm} mm per pixel` : image.width ? "no scale" : "";
  const text = [image.name, size].filter(Boolean).join(" \u00b7 ");
  return h("p", { class: "file dim", "data-key": "file" }, text);
}

/** Flags and problems, in the server's words. */
function said(image, found) {
  const flags = warnings(found).map((flag) => flag.text);
  const problems = (found?.rejected ? [] : image.problems)
    .filter((problem) => !problem.frame || problem.frame === state.frame)
    .map((problem) => problemText(problem, image));
  const texts = [...new Set([...flags, ...problems])];
  if (!texts.length) return null;
  return h(
    "ul",
    { class: "flags", "data-key": "flags" },
    texts.map((text) => h("li", {}, sign("!"), capital(text))),
  );
}

function planes(found) {
  const seen = found?.plane_probability;
  const sure = found && !found.edited && seen ? `model ${Math.round(100 * seen)} %` : "";
  return choice("Plane", sure, PLANES, found?.plane ?? "none", planeText, (plane) =>
    kept(editOf("plane", { plane })));
}

function choice(label, note, values, current, text, take) {
  const id = `choice-${label.toLowerCase()}`;
  return h(
    "div",
    { class: "choice", role: "group", "aria-labelledby": id, "data-key": id },
    h("span", { class: "label", id }, label, note && h("span", { class: "dim" }, ` ${note}`)),
    h(
      "div",
      { class: "group" },
      values.map((value) =>
        button(text(value), () => value === current || take(value), {
          "aria-pressed": String(value === current),
        })),
    ),
  );
}

const fetuses = (found) =>
  choice("Fetus", "", ["", "A", "B"], found.fetus, (fetus) => fetus || "Not said", (fetus) =>
    kept(editOf("fetus", { fetus })));

function criteria(found) {
  if (!found.criteria.length) return null;
  const ticked = found.criteria.filter((one) => one.ticked).length;
  return h(
    "fieldset",
    { class: "criteria", "data-key": `criteria-${found.plane}` },
    h(
      "legend",
      {},
      "Criteria of the plane, ",
      h("span", { class: "dim" }, `${ticked} of ${found.criteria.length} ticked`),
    ),
    found.criteria.map((one) =>
      h(
        "label",
        { class: "tick", "data-key": one.id },
        h("input", {
          type: "checkbox",
          checked: one.ticked,
          onchange: (event) => kept(editOf("criteria", { [one.id]: event.target.checked })),
        }),
        h("span", {}, capital(one.text)),
      )),
  );
}

/** The geometry as numbers: for whom dragging and arrow keys are not the way. */
function byNumbers(found) {
  const drawn = shape();
  if (!drawn) return null;
  const parts = drawn.ellipse ? ofEllipse(proper(drawn.ellipse)) : ofLine(drawn.ends);
  const submit = (event) => {
    event.preventDefault();
    const given = parts.map(([id]) => Number(event.target.elements[`by-${id}`].value));
    kept(editOf(...asEdit(made(drawn, given))));
  };
  return h(
    "details",
    { class: "by-numbers", "data-key": `numbers-${found.plane}` },
    h("summary", {}, `${drawn.name} in numbers`),
    h(
      "form",
      { onsubmit: submit, class: "numbers-form" },
      parts.map(([id, label, value]) =>
        field(`by-${id}`, label, {
          type: "number", step: "any", required: true, value: value.toFixed(1),
        })),
      h("button", { type: "submit" }, "Apply"),
    ),
  );
}

function made({ name, ellipse }, [a, b, c, d, angle]) {
  if (!ellipse) return { name, ends: [[a, b], [c, d]] };
  return { name, ellipse: { center_px: [a, b], semi_axes_px: [c / 2, d / 2], angle_deg: angle } };
}

const ofEllipse = ({ center_px: [row, col], semi_axes_px: [a, b], angle_deg: angle }) => [
  ["row", "Centre, row", row], ["col", "Centre, column", col],
  ["long", "Long axis (px)", 2 * a], ["short", "Short axis (px)", 2 * b],
  ["angle", "Angle (degrees)", angle],
];

const ofLine = ([[r1, c1], [r2, c2]]) => [
  ["row1", "First end, row", r1], ["col1", "First end, column", c1],
  ["row2", "Second end, row", r2], ["col2", "Second end, column", c2],
];

const DATES = [
  ["ga", "Age at the exam", { placeholder: "23w4d", autocomplete: "off" }],
  ["lmp", "Last menstrual period", { type: "date" }],
  ["edd", "Due date agreed on", { type: "date" }],
  ["crl_mm", "Crown-rump length (mm)", { inputmode: "decimal", autocomplete: "off" }],
  ["crl_date", "\u2026 measured on", { type: "date" }],
  ["exam_date", "Date of the exam", { type: "date" }],
];

/** What is known about the age of the pregnancy, for the whole exam. */
export function dating() {
  if (!shown()?.images.length || !measured()) return null;
  const known = shown().dates ?? {};
  const submit = (event) => {
    event.preventDefault();
    const given = DATES.map(([name]) => [name, event.target.elements[`date-${name}`].value.trim()]);
    const value = Object.fromEntries(given.filter(([, text]) => text));
    if (value.crl_mm) value.crl_mm = decimal(value.crl_mm);
    if (Number.isNaN(value.crl_mm)) return tell("The crown-rump length is a number, such as 61.5.");
    kept(editOf("dates", value, { examWide: true }));
  };
  return h(
    "details",
    { class: "dating", "data-key": `dating-${state.exam.id}` },
    h("summary", {}, "Dating of the pregnancy"),
    h(
      "form",
      { class: "numbers-form", onsubmit: submit },
      DATES.map(([name, label, props]) =>
        field(`date-${name}`, label, { ...props, value: known[name] ?? null })),
      h("button", { type: "submit" }, "Apply"),
    ),
  );
}
