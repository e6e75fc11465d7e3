// What the page knows. `exam` is as the server keeps it, `shown` a preview of it while dragging.

import { capital } from "./words.js";

export const state = {
  health: null,
  worklist: [],
  exams: [],
  exam: null,
  shown: null,
  image: 0,
  frame: 1,
  target: "", // the measurement whose handles are shown
  draft: null, // geometry under the hand, before the server has it
  drawing: false,
  ruler: null, // the two ends of a line over a known distance, while it is laid
  rulerMm: "", // what was typed as its length
  overlay: true,
  chart: "",
  reviewer: "",
  busy: "",
  message: null,
  audit: null,
  saving: "", // which file is being fetched
  rejectFrame: false, // whether a rejection is of one frame of a cine loop only
  find: {}, // what was typed to find an exam, by list
  sent: null,
  opened: 0, // how many exams were opened
};

export const MAIN = { head: "HC", abdomen: "AC", femur: "FL" };
export const PLANES = ["head", "abdomen", "femur", "none"];

const listeners = new Set();
let waiting = false;

/** Call a function after every change, once for several changes together. */
export function subscribe(listener) {
  listeners.add(listener);
}

/** Change what the page knows, and bring it up to date. */
export function change(changes) {
  Object.assign(state, changes);
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    for (const listener of listeners) listener();
  });
}

/** The exam document to show: the newest preview, or what is kept. */
export const shown = () => state.shown ?? state.exam;

/** Whether the exam is measured: before, and where that failed, nothing can be changed. */
export const measured = () => ["ready", "signed"].includes(state.exam?.state);

export const picture = () => shown()?.images[state.image] ?? null;

/** The finding of the frame that is shown, or null. */
export function finding() {
  return picture()?.findings.find((found) => found.frame === state.frame) ?? null;
}

/** The same finding as the server keeps it. */
export function keptFinding(exam = state.exam, image = state.image, frame = state.frame) {
  return exam?.images[image]?.findings.find((found) => found.frame === frame) ?? null;
}

/** The finding that speaks for an image on its thumbnail. */
export function leading(image) {
  return (
    image.findings.find((found) => found.counts) ??
    image.findings.find((found) => found.frame === image.best_frame) ??
    image.findings[0] ??
    null
  );
}

/** Whether the exam has more than one fetus: one of its images was said to be of A or B. */
export const twins = (exam = shown()) =>
  Object.keys(exam?.growth ?? {}).some(Boolean) ||
  (exam?.images ?? []).some((image) => image.findings.some((found) => found.fetus));

const BY_PERSON = new Set(["edited", "plane-chosen"]);

/** The flags of a finding that warn; what a person did is shown in its own way. */
export const warnings = (found) => (found?.flags ?? []).filter(({ id }) => !BY_PERSON.has(id));

const leaving = new Set();

/** Call a function before another image, frame or measurement is turned to. */
export const onLeave = (listener) => leaving.add(listener);

/** Let what is under the hand be kept. */
export const leave = () => leaving.forEach((listener) => listener());

/** Show an image, at the frame that counts or is best. */
export function choose(index) {
  const image = shown()?.images[index];
  if (!image) return;
  leave();
  const frame = leading(image)?.frame ?? image.best_frame ?? 1;
  change({ image: index, frame, target: "", draft: null, shown: null, drawing: false });
  change({ ruler: null, rejectFrame: false });
}

/** Show a frame of the same image. */
export function chooseFrame(frame) {
  const count = picture()?.frames ?? 1;
  const near = Math.min(Math.max(frame, 1), Math.max(count, 1));
  if (near !== state.frame) {
    leave();
    change({ frame: near, target: "", draft: null, shown: null, drawing: false });
  }
}

/** Take an exam document as the one that is open; of the same one the place and the draft stay. */
export function open(exam, { keepPlace = false } = {}) {
  const same = keepPlace && state.exam?.id === exam.id;
  if (same) return change({ exam, shown: state.draft && state.shown });
  change({ exam, shown: null, draft: null, message: null });
  change({ audit: null, sent: null, chart: "", opened: state.opened + 1 });
  const first = exam.images.findIndex((image) => image.findings.length);
  choose(Math.max(first, 0));
}

/** Say something to the reader: kind is "error" or "note". */
export function tell(text, { title = "", kind = "note" } = {}) {
  change({ message: { text, title, kind } });
}

/** Show why the server refused. */
export const tellRefusal = (refusal) =>
  tell(capital(refusal.message), { title: refusal.title ?? "This did not work", kind: "error" });
