// The dialogs: who reviews, the token of a guarded server, help.

import { button, field, fill, h } from "./dom.js";
import { change, state } from "./state.js";

const STORED = "fetometry-reviewer";

/** The name that was given on this machine before. */
export function rememberedReviewer() {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return ""; // a browser may forbid it
  }
}

function remember(name) {
  try {
    localStorage.setItem(STORED, name);
  } catch {
    // then it is asked for again
  }
  change({ reviewer: name });
}

function ask(title, words, input, accept) {
  const dialog = document.getElementById("question");
  return new Promise((resolve) => {
    let given = "";
    const submit = (event) => {
      event.preventDefault();
      given = dialog.querySelector("input").value.trim();
      if (given) dialog.close();
    };
    fill(
      dialog,
      h(
        "form",
        { onsubmit: submit },
        h("h2", { id: "question-title" }, title),
        h("p", {}, words),
        input,
        h(
          "div",
          { class: "row end" },
          button("Cancel", () => dialog.close()),
          h("button", { type: "submit", class: "primary" }, accept),
        ),
      ),
    );
    dialog.addEventListener("close", () => resolve(given), { once: true });
    dialog.showModal();
    dialog.querySelector("input").focus();
  });
}

/** Ask whether something is really to be done. */
export function agreed(title, words, accept) {
  const dialog = document.getElementById("question");
  return new Promise((resolve) => {
    let yes = false;
    const close = (answer) => {
      yes = answer;
      dialog.close();
    };
    fill(
      dialog,
      h("h2", { id: "question-title" }, title),
      h("p", {}, words),
      h(
        "div",
        { class: "row end" },
        button("Cancel", () => close(false)),
        button(accept, () => close(true), { class: "primary" }),
      ),
    );
    dialog.addEventListener("close", () => resolve(yes), { once: true });
    dialog.showModal();
  });
}

/** Ask for the reviewer's name; empty where nobody gave one. */
export async function whoReviews() {
  const name = await ask(
    "Who is reviewing?",
    "Every change is kept with the name of the person who made it.",
    field("reviewer-name", "Name", {
      value: state.reviewer,
      autocomplete: "name",
      maxlength: 64,
      required: true,
    }),
    "Continue",
  );
  if (name) remember(name);
  return name;
}

/** Ask for the token that the server printed when it started. */
export function askToken() {
  return ask(
    "Access token",
    "This server can be reached from other machines. It printed a token when it was started.",
    field("token", "Token", { type: "password", autocomplete: "off", required: true }),
    "Open",
  );
}

const KEYS = [
  ["Tab", "from control to control, and from handle to handle"],
  ["Arrow keys on a handle", "move it by 1 pixel or 1 degree; with Shift 10, with Alt 0.2"],
  ["Ctrl+Z", "undo"],
  ["[  and  ]", "previous and next image"],
  [",  and  .", "previous and next frame of a cine loop"],
  ["B", "best frame of a cine loop"],
  ["+  \u2212  0", "zoom in, zoom out, fit"],
  ["Arrow keys on the picture", "move it"],
  ["H", "hide or show what is drawn over the picture"],
  ["D", "draw the outline or the line again"],
  ["R", "back to the model\u2019s proposal"],
  ["C", "this image counts"],
  ["X", "reject this image, or take it back"],
  ["1  2  3  4", "head, abdomen, femur, no plane"],
  ["S", "go to the sign-off"],
  ["?", "this help"],
];

/** Show the shortcuts, and whether single letters are taken as such. */
export function showHelp(letters, onLetters) {
  const dialog = document.getElementById("help");
  fill(
    dialog,
    h("h2", { id: "help-title" }, "Keyboard"),
    h(
      "dl",
      { class: "keys" },
      KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what))),
    ),
    h(
      "label",
      { class: "tick" },
      h("input", {
        type: "checkbox",
        checked: letters,
        onchange: (event) => onLetters(event.target.checked),
      }),
      h("span", {}, "Single letters are shortcuts"),
    ),
    h("div", { class: "row end" }, button("Close", () => dialog.close(), { class: "primary" })),
  );
  dialog.showModal();
}
