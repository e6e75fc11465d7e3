// From a change on the page to an edit that the server keeps.

import * as api from "./api.js";
import { whoReviews } from "./dialogs.js";
import { announceNumbers } from "./live.js";
import { change, keptFinding, leave, open, state, tell, tellRefusal } from "./state.js";

const LEAST_MS = 60;

let asked = null; // the newest edit that waits to be previewed
let running = false;

// what is said of a file holds for all frames of it
const WHOLE_FILE = new Set(["fetus", "reject", "spacing"]);

/** An edit of the frame that is shown, of its whole file, or of the whole exam. */
export function editOf(action, value, { examWide = false, thisFrame = false } = {}) {
  const whole = WHOLE_FILE.has(action) && !thisFrame;
  const image = examWide ? null : state.image;
  const frame = examWide || whole ? null : state.frame;
  return { action, image, frame, value, reviewer: state.reviewer };
}

/** Show what an edit would change; of several the newest counts, at most one each 60 ms. */
export function previewed(edit) {
  asked = { edit, id: state.exam.id, image: state.image, frame: state.frame };
  if (!running) run();
}

async function run() {
  running = true;
  while (asked) {
    const mine = asked;
    asked = null;
    const pause = new Promise((resolve) => setTimeout(resolve, LEAST_MS));
    try {
      const exam = await api.preview(mine.id, mine.edit);
      if (state.draft && state.exam?.id === mine.id && isShown(mine)) {
        change({ shown: exam, message: null });
      }
    } catch (refusal) {
      if (state.draft) tellRefusal(refusal);
    }
    await pause;
  }
  running = false;
}

const isShown = (place) => state.image === place.image && state.frame === place.frame;

let queue = Promise.resolve();

/** Keep an edit: one after another, with the reviewer's name. */
export function kept(edit) {
  asked = null;
  queue = queue.then(() => keepNow(edit));
  return queue;
}

async function keepNow(edit) {
  const reviewer = state.reviewer.trim() || (await whoReviews());
  if (!reviewer) {
    change({ draft: null, shown: null });
    tell("Nothing was changed: every change is kept with the name of the person who made it.");
    return;
  }
  const before = state.exam;
  const drawn = state.draft;
  const done = () => state.draft === drawn && change({ draft: null, shown: null });
  change({ busy: "saving" });
  try {
    const exam = await sent({ ...edit, reviewer }, before);
    done(); // unless it was moved on meanwhile
    take(exam);
  } catch (refusal) {
    done();
    tellRefusal(refusal);
  } finally {
    change({ busy: "" });
  }
}

async function sent(edit, before) {
  try {
    return await api.keep(before.id, edit, before.revision);
  } catch (refusal) {
    if (refusal.status !== 409) throw refusal;
  }
  // somebody else was quicker: what they changed elsewhere does not touch this
  const now = await api.readExam(before.id);
  const same = (exam) => JSON.stringify(touched(exam, edit));
  if (edit.action === "criteria" || (edit.image !== null && same(before) === same(now))) {
    return api.keep(before.id, edit, now.revision);
  }
  open(now, { keepPlace: true });
  throw Object.assign(
    new Error("Somebody else changed this meanwhile. You see their change; make yours again."),
    { title: "Changed by somebody else" },
  );
}

/** What the edit is of, as an exam has it. */
const touched = (exam, { image, frame }) =>
  frame === null ? exam.images[image]?.findings : keptFinding(exam, image, frame);

function take(exam) {
  const wasSigned = state.exam?.signed;
  open(exam, { keepPlace: true });
  change({ audit: null, sent: null });
  announceNumbers();
  if (wasSigned && !exam.signed) {
    tell("The signature was taken back, because the exam was changed. Sign off again.");
  } else change({ message: null });
}

/** Take back the newest change of this exam. */
export function undone() {
  leave();
  queue = queue.then(async () => {
    if (!state.exam) return;
    try {
      take(await api.undo(state.exam.id, state.exam.revision));
    } catch (refusal) {
      tellRefusal(refusal);
    }
  });
  return queue;
}

/** Go back to what the model proposed for this frame. */
export const reset = () => state.exam && kept(editOf("reset", {}));
