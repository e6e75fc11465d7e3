// The page: every part is made of what `state` knows, and brought up to date when it changes.

import { charts } from "./charts.js";
import { controls, dating } from "./controls.js";
import { rememberedReviewer } from "./dialogs.js";
import { button, fill, h } from "./dom.js";
import { acceptDrops, opening, start } from "./exams.js";
import * as keys from "./keys.js";
import { lists } from "./lists.js";
import { numbers } from "./numbers.js";
import { review } from "./review.js";
import { change, shown, state, subscribe } from "./state.js";
import { thumbs } from "./thumbs.js";
import { frames, hint, noPicture, readout, toolbar } from "./tools.js";
import * as viewer from "./viewer.js";
import { capital, personText, stateText } from "./words.js";

const part = (id) => document.getElementById(id);

const SMALL = matchMedia("not ((min-width: 1100px) and (min-height: 560px))");
let opened = 0;

/** In a small window the lists make room for an exam that was opened. */
function makeRoom() {
  if (state.opened !== opened && SMALL.matches) part("open-part").open = false;
  opened = state.opened;
}

function render() {
  const exam = shown();
  makeRoom();
  document.body.classList.toggle("empty", !exam);
  document.title = exam ? `${exam.label} \u2013 fetometry` : "fetometry";
  fill(part("exam-name"), heading(exam));
  fill(part("message"), message());
  fill(part("progress"), progress(exam));
  fill(part("thumbs"), thumbs());
  fill(part("toolbar"), toolbar());
  fill(part("readout"), readout());
  fill(part("hint"), hint());
  fill(part("no-picture"), noPicture());
  fill(part("frames"), frames());
  fill(part("numbers"), numbers(), exam ? dating() : null, examProblems(exam));
  fill(part("controls"), controls());
  fill(part("charts"), exam ? charts() : null);
  fill(part("review"), review());
  fill(part("lists"), lists());
  viewer.draw();
}

function heading(exam) {
  if (!exam) return h("span", { class: "dim" }, "No exam is open");
  const who = exam.patient;
  return [
    h("strong", {}, exam.label),
    who && h("span", { class: "dim patient" }, patient(who)),
    h("span", { class: `state ${exam.state}` }, capital(stateText(exam.state))),
  ];
}

function patient(who) {
  const born = who.birth_date?.replace(/^(\d{4})(\d\d)(\d\d)$/, "born $1-$2-$3");
  return [personText(who.name ?? ""), who.id, born].filter(Boolean).join(" \u00b7 ");
}

function message() {
  const said = state.message;
  if (!said) return null;
  return h(
    "div",
    { class: `message ${said.kind}`, role: said.kind === "error" ? "alert" : "status" },
    h("span", {}, said.title && h("strong", {}, `${said.title}. `), said.text),
    button("Close", () => change({ message: null }), { "aria-label": "Close the message" }),
  );
}

function progress(exam) {
  if (state.busy.startsWith("Sending")) return h("p", { role: "status" }, state.busy);
  if (exam?.state !== "measuring") return null;
  const { done, total } = exam.progress;
  return [
    h("label", { for: "measured" }, `Measured ${done} of ${total}`),
    h("progress", { id: "measured", max: total || 1, value: done }),
  ];
}

/** What belongs to no single image: of an exam that failed, why. */
function examProblems(exam) {
  const shownThere = (exam?.images ?? []).flatMap((image) => image.problems);
  const reasons = new Set(shownThere.map((problem) => problem.reason));
  const other = (exam?.problems ?? []).filter((problem) => !reasons.has(problem.reason));
  if (exam?.reason) other.unshift({ source: "", reason: exam.reason });
  if (!other.length) return null;
  return h(
    "ul",
    { class: "flags", "data-key": "problems" },
    other.map((problem) =>
      h("li", {}, h("span", { class: "sign", "aria-hidden": "true" }, "!"),
        problem.source ? `${problem.source}: ${problem.reason}` : capital(problem.reason))),
  );
}

fill(part("opening"), opening());
part("help-button").onclick = keys.help;
change({ reviewer: rememberedReviewer() });
viewer.mount();
keys.mount();
acceptDrops();
subscribe(render);
render();
start();
