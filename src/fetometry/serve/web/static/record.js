// The record of an exam: what a person changed, from and to, who it was and when.

import * as api from "./api.js";
import { agreed } from "./dialogs.js";
import { button, h } from "./dom.js";
import { corrections } from "./downloads.js";
import { remove } from "./exams.js";
import { extent } from "./geometry.js";
import { change, state, tellRefusal } from "./state.js";
import { capital, planeText, scaleText, valueText, whenText } from "./words.js";

const ROUND = { head: "HC", abdomen: "AC" };
const DATES = {
  ga: "Age at the exam", lmp: "Last menstrual period", edd: "Due date agreed on",
  crl_mm: "Crown-rump length", crl_date: "Crown-rump length measured on",
  exam_date: "Date of the exam",
};
let reading = false;

/** The record, and the removal of the exam. */
export function record(exam) {
  const count = exam.edits === 1 ? "1 change" : `${exam.edits || "no"} changes`;
  const opened = document.querySelector("#review .record[open]");
  if (opened) readRecord();
  return h(
    "details",
    {
      class: "record",
      "data-key": `record-${exam.id}`,
      ontoggle: (event) => event.target.open && readRecord(),
    },
    h("summary", {}, `Record: ${count}`),
    state.audit && h("ol", {}, entries(state.audit, exam)),
    h("p", {}, corrections()),
    exam.state === "failed" ? null : removal(),
  );
}

/** The button that takes the exam away, after a question. */
export const removal = () => button("Remove this exam\u2026", removed, { class: "quiet" });

async function removed() {
  const words = "Its images are deleted from this machine. The record of what was done stays.";
  if (await agreed("Remove this exam?", words, "Remove")) remove();
}

async function readRecord() {
  if (state.audit || reading || !state.exam) return;
  reading = true;
  const id = state.exam.id;
  try {
    const audit = await api.audit(id);
    if (state.exam?.id === id) change({ audit });
  } catch (refusal) {
    tellRefusal(refusal);
  } finally {
    reading = false;
  }
}

function entries({ edits, signatures, revision }, exam) {
  const made = edits.map((edit) => [edit.at, entry(edit, edits, exam)]);
  const signed = signatures.map((one) => [one.at, signature(one, revision)]);
  return [...made, ...signed].sort(([one], [other]) => Date.parse(one) - Date.parse(other))
    .map(([, item]) => item);
}

function signature({ reviewer, at, revision }, now) {
  const more = revision === now ? "" : ", taken back by a later change";
  return h(
    "li",
    { "data-key": `signature-${revision}-${at}` },
    h("span", { class: "change" }, "Signed off"),
    said(reviewer, at, more),
  );
}

const said = (reviewer, at, more = "") =>
  h("span", { class: "dim" }, `${reviewer}, ${whenText(at)}${more}`);

function entry(edit, edits, exam) {
  const lines = changed(edit, edits, exam);
  return h(
    "li",
    { class: edit.undone ? "undone" : null, "data-key": `edit-${edit.number}` },
    lines.map((line, k) => h("span", { class: "change", "data-key": k }, line)),
    said(place(edit, exam) + edit.reviewer, edit.at, edit.undone ? ", undone" : ""),
  );
}

function place({ image, frame }, exam) {
  const found = exam.images[image];
  if (!found) return "";
  const which = found.frames > 1 ? (frame ? ` frame ${frame}` : ", all frames") : "";
  return `${found.name}${which} \u00b7 `;
}

/** What an edit changed, a sentence each. */
function changed(edit, edits, exam) {
  const { value } = edit;
  const before = edit.before ?? {};
  switch (edit.action) {
    case "ellipse":
      return [
        fromTo(
          `${outlined(edit, edits, exam)} outline`,
          size(before.center_px && before, scaleAt(edit, edits, exam)),
          size(value, scaleAt(edit, edits, exam)),
        ),
      ];
    case "points":
      return Object.keys(value).map((name) => {
        const [from, to] = [before[name], value[name]].map((ends) =>
          size(ends && { ends }, scaleAt(edit, edits, exam)));
        return fromTo(name, from, to);
      });
    case "plane":
      return [fromTo("Plane", before.plane && planeText(before.plane), planeText(value.plane))];
    case "fetus":
      return [fromTo("Fetus", before.fetus || "not said", value.fetus || "not said")];
    case "reject":
      if (!value.rejected) return ["Rejection taken back"];
      return [value.reason ? `Rejected: ${value.reason}` : "Rejected"];
    case "choose":
      return [chosen(edit, before, exam)];
    case "criteria":
      return Object.entries(value).map(([id, on]) =>
        `${on ? "Ticked" : "No longer ticked"}: ${criterion(id, edit, exam)}`);
    case "spacing":
      return [fromTo("Scale", perPixel(before.mm_per_px), perPixel(value.mm_per_px))];
    case "dates":
      return dates(before, value);
    case "reset":
      return ["Back to what the model proposed"];
    default:
      return [capital(edit.action)];
  }
}

/** From and to, with the unit once where it is the same. */
function fromTo(what, from, to) {
  const unit = / (mm|px|mm per pixel)$/u.exec(to.replaceAll("\u00a0", " "))?.[0];
  const alike = unit && from?.replaceAll("\u00a0", " ").endsWith(unit) && from.length > unit.length;
  return `${what}: ${(alike ? from.slice(0, -unit.length) : from) || "not there"} \u2192 ${to}`;
}

const perPixel = (mm) => (mm ? `${scaleText(pair(mm))} mm per pixel` : "not known");

const pair = (mm) => (typeof mm === "number" ? [mm, mm] : mm);

function dates(before, value) {
  const names = Object.keys(DATES).filter((name) => (before[name] ?? "") !== (value[name] ?? ""));
  const text = (name, given) =>
    given === undefined || given === null || given === ""
      ? "not said"
      : name === "crl_mm" ? valueText(given, "mm") : given;
  if (!names.length) return ["Dating: as it was"];
  return names.map((name) =>
    fromTo(DATES[name], text(name, before[name]), text(name, value[name])));
}

/** Which measurement an outline is: of the plane that the image was said to show then. */
function outlined(edit, edits, exam) {
  const said = edits.findLast((other) =>
    other.action === "plane" && other.number < edit.number && isSame(other, edit));
  const found = findingOf(edit, exam);
  const plane = said?.value.plane ?? found?.proposal?.plane ?? found?.plane;
  return ROUND[plane] ?? "The";
}

const isSame = (one, other) => one.image === other.image && one.frame === other.frame;

const findingOf = ({ image, frame }, exam) =>
  exam.images[image]?.findings.find((found) => found.frame === frame);

/** The scale that held when an edit was made: the last one that was set before it. */
function scaleAt(edit, edits, exam) {
  const set = edits.filter((other) => other.action === "spacing" && other.image === edit.image);
  const earlier = set.findLast((other) => other.number < edit.number && !other.undone);
  const later = set.find((other) => other.number > edit.number && !other.undone);
  const scale = earlier ? earlier.value.mm_per_px
    : later ? later.before?.mm_per_px : exam.images[edit.image]?.spacing_mm;
  return pair(scale ?? null);
}

/** The length of an outline or a line in words. */
const size = (shape, scale) => shape && valueText(extent(shape, scale), scale ? "mm" : "px");

function chosen(edit, before, exam) {
  const { plane } = edit.value;
  const other = previousImage(edit, before, exam);
  return `Counts for the ${plane}${other ? `, instead of ${other}` : ""}`;
}

/** The image that counted before; the files on disk are numbered. */
function previousImage(edit, before, exam) {
  const image = exam.images[before.image ?? Number.parseInt(before.source, 10)];
  const same = image && edit.image === image.image && (edit.frame ?? 1) === (before.frame ?? 1);
  if (!image || same) return "";
  return image.frames > 1 && before.frame ? `${image.name} frame ${before.frame}` : image.name;
}

function criterion(id, edit, exam) {
  const every = exam.images.flatMap((image) => image.findings).flatMap((found) => found.criteria);
  const own = findingOf(edit, exam)?.criteria ?? [];
  return [...own, ...every].find((one) => one.id === id)?.text ?? id;
}
