// Files that are made of an exam: fetched first, so that a refusal is read and not saved.

import * as api from "./api.js";
import { h } from "./dom.js";
import { announce } from "./live.js";
import { change, state, tell, tellRefusal } from "./state.js";

const OUTPUTS = [
  ["report.html", "Report (HTML)"], ["report.pdf", "Report (PDF)"],
  ["measurements.csv", "Values (CSV)"], ["exam.json", "Exam (JSON)"],
  ["report.sr.dcm", "DICOM SR"], ["overlays.zip", "Pictures (ZIP)"],
];

const NO_SR =
  "DICOM SR holds values in millimetres, and here are none: give the millimetres per pixel " +
  "below the picture.";
const KEEP_MS = 60_000; // of what was saved, in memory

/** The links to everything that can be taken away. */
export function downloads(exam) {
  const inMm = exam.selected.some((entry) => entry.unit === "mm");
  const refused = inMm ? {} : { "report.sr.dcm": NO_SR };
  return h(
    "details",
    { class: "downloads", "data-key": "downloads" },
    h("summary", {}, exam.signed ? "Download" : "Download (says \u201cnot signed\u201d)"),
    h(
      "ul",
      { class: "links" },
      OUTPUTS.map(([name, text]) =>
        h(
          "li",
          { "data-key": name },
          refused[name] ? off(text) : link(api.outputUrl(exam.id, name), name, text),
        )),
    ),
    Object.values(refused).map((why) => h("p", { class: "dim small", id: "no-sr" }, why)),
    state.saving && h("p", { class: "dim small", role: "status" }, `${state.saving}\u2026`),
  );
}

const off = (text) =>
  h("a", { role: "link", "aria-disabled": "true", "aria-describedby": "no-sr", tabindex: 0 }, text);

/** The link to the corrections of all exams. */
export const corrections = () =>
  link(api.correctionsUrl, "corrections.zip", "All signed corrections as training data");

function link(href, name, text) {
  const onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // as the browser has it
    event.preventDefault();
    save(href, name, text);
  };
  return h("a", { href, download: name, onclick }, text);
}

async function save(href, name, text) {
  if (state.saving) return;
  change({ saving: `${text} is being made`, message: null });
  try {
    const address = URL.createObjectURL(await api.file(href));
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), KEEP_MS);
    announce(`${text} was saved`);
  } catch (refusal) {
    tellRefusal(refusal);
  } finally {
    change({ saving: "" });
  }
}
