// Signing off: who, what was changed, and what is then taken away or sent.

import * as api from "./api.js";
import { rememberedReviewer } from "./dialogs.js";
import { button, field, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { record, removal } from "./record.js";
import { change, measured, open, shown, state, tell, tellRefusal } from "./state.js";
import { whenText } from "./words.js";

/** Sign-off, downloads, sending, and the record of edits. */
export function review() {
  const exam = shown();
  if (!exam || exam.state === "measuring") return [];
  if (!measured()) return [nothing(), record(exam)];
  return [signature(exam), downloads(exam), sending(exam), record(exam)];
}

function nothing() {
  return h(
    "div",
    { "data-key": "nothing" },
    h("p", {}, "There is nothing to sign off. Upload the files again, or remove this exam."),
    removal(),
  );
}

function signature(exam) {
  if (exam.signed) {
    return h(
      "p",
      { class: "signed", "data-key": "signed" },
      h("span", { class: "sign good", "aria-hidden": "true" }, "\u2713"),
      "Reviewed and signed by ",
      h("strong", {}, exam.signed.reviewer),
      `, ${whenText(exam.signed.at)}.`,
      h("span", { class: "dim" }, "A later change takes the signature back."),
    );
  }
  return h(
    "form",
    { class: "inline-form", onsubmit: sign, "data-key": "sign" },
    field("sign-name", "Reviewer", {
      required: true, maxlength: 64, autocomplete: "name",
      value: state.reviewer || rememberedReviewer(),
    }),
    h("button", { type: "submit", class: "primary" }, "Sign off"),
  );
}

async function sign(event) {
  event.preventDefault();
  const reviewer = event.target.elements["sign-name"].value.trim();
  if (!reviewer) return;
  change({ reviewer, busy: "signing" });
  try {
    const answer = await api.sign(state.exam.id, reviewer);
    open(answer.images ? answer : await api.readExam(state.exam.id), { keepPlace: true });
    change({ audit: null });
    tell("Signed off. The report now says so.");
  } catch (refusal) {
    tellRefusal(refusal);
  } finally {
    change({ busy: "" });
  }
}

function sending(exam) {
  if (!state.health || !state.health.forward) return null;
  return h(
    "div",
    { class: "row wrap", "data-key": "sending" },
    button("Send to the PACS", send, {
      disabled: !exam.signed,
      title: exam.signed ? null : "Sign off first",
    }),
    state.sent && h("span", { class: "dim", role: "status" }, state.sent),
  );
}

async function send() {
  change({ sent: "Sending\u2026" });
  try {
    const answer = await api.send(state.exam.id);
    change({ sent: `The report was sent to ${answer.to}.` });
  } catch (refusal) {
    change({ sent: null });
    tellRefusal(refusal);
  }
}
