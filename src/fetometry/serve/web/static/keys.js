// Keyboard shortcuts of the whole page. Single letters may be switched off in the help.

import { count, reject } from "./counting.js";
import { showHelp } from "./dialogs.js";
import { editOf, kept, reset, undone } from "./edits.js";
import { target } from "./handles.js";
import { change, choose, chooseFrame, finding, measured, picture, PLANES, state } from "./state.js";
import { endRuler } from "./scale.js";
import { drawAgain } from "./tools.js";
import { fit, zoomBy } from "./viewer.js";

let letters = true;

/** Show the help, with the switch for single letters. */
export const help = () => showHelp(letters, (on) => (letters = on));

const SHORT = {
  "[": () => choose(state.image - 1),
  "]": () => choose(state.image + 1),
  ",": () => chooseFrame(state.frame - 1),
  ".": () => chooseFrame(state.frame + 1),
  b: () => chooseFrame(picture()?.best_frame ?? 1),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(1 / 1.25),
  0: fit,
  h: () => change({ overlay: !state.overlay }),
  d: () => target() && !finding().rejected && drawAgain(),
  r: () => finding()?.edited && reset(),
  c: () => finding() && !finding().counts && count(),
  x: () => reject(),
  s: () => document.getElementById("sign-name")?.focus(),
};

/** Listen to the keyboard. */
export function mount() {
  addEventListener("keydown", onKey);
}

function onKey(event) {
  if (document.querySelector("dialog[open]")) return;
  const typing = event.target.closest?.("input:not([type=range], [type=checkbox])");
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "z" && !event.shiftKey && !typing) {
    event.preventDefault();
    undone();
    return;
  }
  if (event.key === "Escape") {
    change({ drawing: false, draft: null, shown: null, message: null });
    endRuler();
    return;
  }
  if (command || event.altKey || typing) return;
  if (event.key === "?") return void help();
  if (!letters || !state.exam) return;
  const plane = PLANES[Number(event.key) - 1];
  const action = SHORT[event.key.toLowerCase()];
  if (plane && measured() && picture()?.width) kept(editOf("plane", { plane }));
  else if (action) action();
  else return;
  event.preventDefault();
}
