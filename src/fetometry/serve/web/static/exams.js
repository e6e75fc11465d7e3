// Opening exams: files that are dropped or chosen, the worklist, and what was opened before.

import * as api from "./api.js";
import { askToken } from "./dialogs.js";
import { field, h } from "./dom.js";
import { announce } from "./live.js";
import { tellNoScale } from "./scale.js";
import { change, open, state, tell, tellRefusal } from "./state.js";
import { scaleOf } from "./words.js";

const POLL_MS = 350;
const ABOUT = ["ga", "lmp", "edd", "exam_date", "mm_per_px"];

/** Where to drop files, with the buttons that do the same. */
export function opening() {
  return [
    h(
      "div",
      { class: "drop", id: "drop" },
      h("p", {}, "Drop images, DICOM files or a folder here, with the exam.json of earlier exams"),
      h(
        "div",
        { class: "row" },
        chooser("files", "Choose files", { multiple: true }),
        chooser("folder", "Choose a folder", { webkitdirectory: true, multiple: true }),
      ),
    ),
    h(
      "details",
      { id: "about" },
      h("summary", {}, "Dates and scale"),
      h("p", { class: "hint" }, "For the next exam. Those in DICOM files are read anyway."),
      field("about-ga", "Age", { placeholder: "23w4d", autocomplete: "off" }, "weeks and days"),
      field("about-lmp", "Last menstrual period", { type: "date" }),
      field("about-edd", "Due date agreed on", { type: "date" }),
      field("about-exam_date", "Date of the exam", { type: "date" }),
      field("about-mm_per_px", "Millimetres per pixel, where the file does not say", {
        inputmode: "decimal", placeholder: "0.12", autocomplete: "off",
      }),
    ),
  ];
}

function chooser(id, label, props) {
  return h(
    "label",
    { class: "button", for: `choose-${id}` },
    h("input", {
      type: "file", id: `choose-${id}`, class: "unseen", ...props,
      onchange: (event) => {
        upload([...event.target.files]);
        event.target.value = "";
      },
    }),
    label,
  );
}

/** Send files, and open what they become. */
export async function upload(files) {
  if (!files.length) return;
  const given = (name) => document.getElementById(`about-${name}`)?.value.trim() ?? "";
  const about = Object.fromEntries(ABOUT.map((name) => [name, given(name)]));
  if (about.mm_per_px) {
    const scale = scaleOf(about.mm_per_px);
    if (!scale) return tellNoScale(about.mm_per_px);
    about.mm_per_px = scale.join(",");
  }
  change({ busy: `Sending ${files.length} ${files.length === 1 ? "file" : "files"}\u2026` });
  await opened(api.upload(files, about));
}

/** What was said about one patient is never said about the next. */
function forget() {
  for (const input of document.querySelectorAll("#about input")) input.value = "";
}

/** Open the exam that an answer brings. */
export async function opened(answer) {
  try {
    const exam = await answer;
    open(exam);
    forget();
    change({ message: null });
    history.replaceState(null, "", `#${encodeURIComponent(exam.id)}`);
    follow(exam.id);
  } catch (refusal) {
    if (!(await letIn(refusal))) tellRefusal(refusal);
  } finally {
    change({ busy: "" });
    refresh();
  }
}

/** Read an exam again and again until it is measured. */
async function follow(id) {
  while (state.exam?.id === id && state.exam.state === "measuring") {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    try {
      const exam = await api.readExam(id);
      if (state.exam?.id !== id) return;
      const blank = !state.exam.images.some((image) => image.findings.length);
      open(exam, { keepPlace: !blank });
      if (exam.state !== "measuring") {
        announce(exam.state === "failed" ? "Measuring failed" : "Measured");
        refresh();
      }
    } catch (refusal) {
      tellRefusal(refusal);
      return;
    }
  }
}

/** Ask for the token where the server wants one; tells whether it was given. */
async function letIn(refusal) {
  if (refusal.status !== 401) return false;
  const token = await askToken();
  if (!token) return false;
  try {
    await api.login(token);
  } catch (again) {
    tellRefusal(again);
    return letIn(again);
  }
  change({ message: null });
  await start();
  return true;
}

/** Read what there is to open. */
async function refresh() {
  const [worklist, exams] = await Promise.all([
    api.worklist().catch(() => state.worklist),
    api.exams().catch(() => state.exams),
  ]);
  change({ worklist, exams });
}

/** Read all that the page begins with, and the exam that its address names. */
export async function start() {
  try {
    const [health] = await Promise.all([api.health(), api.exams()]);
    change({ health });
    await refresh();
    const id = decodeURIComponent(location.hash.slice(1));
    if (id) await opened(api.readExam(id));
  } catch (refusal) {
    if (!(await letIn(refusal))) tellRefusal(refusal);
  }
}

/** Take an exam away: its uploads are deleted, the record of what was done stays. */
export async function remove() {
  const id = state.exam?.id;
  if (!id) return;
  try {
    await api.removeExam(id);
    change({ exam: null, shown: null, draft: null });
    history.replaceState(null, "", location.pathname);
    tell("The exam was removed from this page. The record of what was done in it stays.");
    await refresh();
  } catch (refusal) {
    tellRefusal(refusal);
  }
}

/** Take files and folders that are dropped anywhere on the page. */
export function acceptDrops() {
  const mark = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    upload(await dropped(event.dataTransfer));
  });
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // a reader gives a hundred at most at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesOf))).flat());
  }
}
