// The picture: where it lies on the screen, zoom and pan, and what happens when it is pressed.

import * as api from "./api.js";
import { fill } from "./dom.js";
import { editOf, kept, previewed } from "./edits.js";
import { drawnEllipse, length, minus } from "./geometry.js";
import { asEdit, handlesOf, shape, stepOf, target } from "./handles.js";
import { announce, announceNumbers } from "./live.js";
import { drawing } from "./overlay.js";
import { moveRuler, rulerShape, rulerText } from "./scale.js";
import { change, finding, onLeave, picture, shown, state } from "./state.js";

const MOST_ZOOM = 16;
const TURN_GAP = 34; // screen pixels from the end of the axis to the handle that turns it
const LEAST_DRAWN_PX = 8;

const view = { zoom: 1, row: 0, col: 0, brightness: 100, contrast: 100 };
let stage, image, svg;
let held = null; // {kind: "handle" | "pan" | "draw", …} while a pointer is down
let space = false;

/** Take the place of the picture, and listen to it. */
export function mount() {
  stage = document.getElementById("stage");
  image = document.getElementById("picture");
  svg = document.getElementById("overlay");
  new ResizeObserver(() => draw()).observe(stage);
  stage.addEventListener("wheel", onWheel, { passive: false });
  svg.addEventListener("pointerdown", onDown);
  svg.addEventListener("pointermove", onMove);
  svg.addEventListener("pointerup", onUp);
  svg.addEventListener("pointercancel", onCancel);
  svg.addEventListener("keydown", onHandleKey);
  stage.addEventListener("keydown", onStageKey);
  addEventListener("keydown", (event) => event.key === " " && (space = true));
  addEventListener("keyup", (event) => event.key === " " && (space = false));
  addEventListener("blur", () => (space = false));
  onLeave(() => resting && keepDraft());
}

function scale() {
  const { width, height } = picture();
  const fit = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  return (fit || 1) * view.zoom;
}

function origin() {
  const { width, height } = picture();
  const k = scale();
  return [
    stage.clientHeight / 2 - (height / 2 + view.row) * k,
    stage.clientWidth / 2 - (width / 2 + view.col) * k,
  ];
}

/** The place on the screen of a point of the picture; a pixel's centre is its whole number. */
function toScreen([row, col]) {
  const k = scale();
  const [top, left] = origin();
  return [top + (row + 0.5) * k, left + (col + 0.5) * k];
}

function toPicture(event) {
  const box = stage.getBoundingClientRect();
  const k = scale();
  const [top, left] = origin();
  return [
    (event.clientY - box.top - top) / k - 0.5,
    (event.clientX - box.left - left) / k - 0.5,
  ];
}

/** Bring the picture and what lies over it up to date. */
export function draw() {
  const now = picture();
  const there = Boolean(now?.width);
  image.hidden = !there;
  svg.toggleAttribute("hidden", !there); // SVG elements have no such property
  if (!there) return;
  const source = api.pictureUrl(shown().id, state.image, state.frame);
  if (image.getAttribute("src") !== source) {
    image.src = source;
    image.alt = `Frame ${state.frame} of ${now.name}`;
    preload(now);
  }
  const k = scale();
  const [top, left] = origin();
  image.style.width = `${now.width * k}px`;
  image.style.height = `${now.height * k}px`;
  image.style.transform = `translate(${left}px, ${top}px)`;
  image.style.filter = `brightness(${view.brightness}%) contrast(${view.contrast}%)`;
  image.style.imageRendering = k > 4 ? "pixelated" : "auto";
  svg.classList.toggle("zoomed", view.zoom > 1);
  svg.classList.toggle("drawing", state.drawing || Boolean(state.ruler));
  svg.classList.toggle("out", Boolean(finding()?.rejected || state.ruler));
  drawOverlay(k);
}

function drawOverlay(k) {
  if (!state.overlay) return fill(svg);
  const found = finding();
  const drawn = rulerShape() ?? (found && !found.rejected ? shape() : null);
  const handles = state.drawing ? [] : handlesOf(drawn, TURN_GAP / k);
  const [ruler, line] = [state.ruler, held?.line];
  fill(svg, drawing({ found, drawn, handles, toScreen, k, active: target(), line, ruler }));
}

function preload(now) {
  for (const frame of [state.frame + 1, state.frame - 1]) {
    if (frame >= 1 && frame <= now.frames) {
      new Image().src = api.pictureUrl(shown().id, state.image, frame);
    }
  }
}

/** Zoom by a factor about a place on the screen (row, col), or about the middle. */
export function zoomBy(factor, about) {
  if (!picture()?.width) return;
  const [row, col] = about ?? [stage.clientHeight / 2, stage.clientWidth / 2];
  const before = scale();
  view.zoom = Math.min(Math.max(view.zoom * factor, 1), MOST_ZOOM);
  const less = 1 / before - 1 / scale();
  moveBy((row - stage.clientHeight / 2) * less, (col - stage.clientWidth / 2) * less);
  announce(`Zoom ${Math.round(100 * view.zoom)} percent`);
}

/** Show the whole picture. */
export function fit() {
  Object.assign(view, { zoom: 1, row: 0, col: 0 });
  change({});
}

/** Move what is seen by pixels of the picture; the picture never leaves the window. */
function moveBy(rows, cols) {
  const { width, height } = picture();
  const k = scale();
  const free = (size, window) => Math.max((size - window / k) / 2, 0);
  const within = (value, most) => Math.min(Math.max(value, -most), most);
  view.row = within(view.row + rows, free(height, stage.clientHeight));
  view.col = within(view.col + cols, free(width, stage.clientWidth));
  change({});
}

/** Set brightness or contrast, in percent. */
export function look(name, percent) {
  view[name] = percent;
  change({});
}

export const looks = () => ({ ...view });

function onWheel(event) {
  if (!picture()?.width || (event.deltaY > 0 && view.zoom === 1)) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoomBy(Math.exp(-event.deltaY / 400), [event.clientY - box.top, event.clientX - box.left]);
}

function onDown(event) {
  if (!picture()?.width || held) return;
  const handle = event.target.closest("[data-handle]");
  const at = toPicture(event);
  if (event.button === 1 || space) held = { kind: "pan", at };
  else if (event.button !== 0) return;
  else if (handle) {
    const found = handlesNow().find((one) => one.id === handle.dataset.handle);
    held = { kind: "handle", id: found.id, off: minus(found.at, at) };
    handle.focus();
  } else if (state.drawing || state.ruler) held = { kind: "draw", from: at };
  else held = { kind: "pan", at };
  event.preventDefault();
  hold(true);
  svg.setPointerCapture(event.pointerId);
}

const handlesNow = () => handlesOf(rulerShape() ?? shape(), TURN_GAP / scale());

function onMove(event) {
  if (!held) return;
  const at = toPicture(event);
  if (held.kind === "pan") moveBy(held.at[0] - at[0], held.at[1] - at[1]);
  else if (held.kind === "draw") {
    held.line = [held.from, at];
    change({});
  } else {
    held.moved = true;
    const handle = handlesNow().find((one) => one.id === held.id);
    if (handle) follow(handle.to([at[0] + held.off[0], at[1] + held.off[1]]));
  }
}

/** While a handle is held the picture stays as large as it is, whatever appears below it. */
function hold(on) {
  stage.style.height = on ? `${stage.offsetHeight}px` : "";
  stage.style.flex = on ? "none" : "";
}

function onUp() {
  const was = held;
  held = null;
  hold(false);
  if (was?.kind === "handle" && was.moved && state.draft) keepDraft();
  if (was?.kind === "draw" && was.line) drawAgain(was.line);
}

function onCancel() {
  held = null;
  hold(false);
  change({ draft: null, shown: null });
}

/** Show a shape under the hand, with the numbers that it gives. */
function follow(drawn) {
  if (state.ruler) return moveRuler(drawn.ends);
  change({ draft: drawn });
  previewed(editOf(...asEdit(drawn)));
}

/** Keep the shape under the hand. */
function keepDraft() {
  clearTimeout(resting);
  resting = 0;
  if (state.draft) kept(editOf(...asEdit(state.draft)));
}

function drawAgain(line) {
  change({ drawing: false });
  if (length(minus(...line)) < LEAST_DRAWN_PX) return;
  if (state.ruler) return moveRuler(line);
  const name = target();
  const round = name === "HC" || name === "AC";
  const drawn = round
    ? { name, ellipse: drawnEllipse(...line, finding().plane) }
    : { name, ends: line };
  change({ draft: drawn });
  keepDraft();
}

let resting = 0;

function onHandleKey(event) {
  const size = stepOf(event);
  const element = event.target.closest("[data-handle]");
  if (!size || !element) return;
  event.preventDefault();
  event.stopPropagation();
  const handle = handlesNow().find((one) => one.id === element.dataset.handle);
  if (!handle) return;
  follow(handle.by(event.key, size));
  if (state.ruler) return announce(rulerText());
  announceNumbers();
  clearTimeout(resting);
  resting = setTimeout(keepDraft, 500); // one edit for a run of key strokes
}

function onStageKey(event) {
  const size = stepOf(event);
  if (event.target !== stage || !picture()?.width) return;
  if (state.drawing && event.key === "Enter") {
    const { width, height } = picture();
    const row = height / 2;
    drawAgain([[row, width * 0.3], [row, width * 0.7]]);
  } else if (size) {
    const far = (30 * Math.max(size, 1)) / scale();
    const [rows, cols] = {
      ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far],
    }[event.key];
    moveBy(rows, cols);
  } else return;
  event.preventDefault();
}
