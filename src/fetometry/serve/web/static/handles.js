// The handles of an ellipse or a line: where they are, and what becomes of it when they move.

import {
  axisEnd, directions, length, lines, middle, minus, proper, rounded, turnedBy, turnedTo,
  withAxisEnd, withCenter,
} from "./geometry.js";
import { finding, MAIN, state } from "./state.js";

const STEP = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const ROUND = new Set(["HC", "AC"]);

/** The measurement whose handles are shown: the one that was chosen, or the plane's main one. */
export function target() {
  const found = finding();
  if (!found) return "";
  return targets().includes(state.target) ? state.target : MAIN[found.plane] ?? "";
}

/** The measurements of the shown finding that have a place in the picture. */
export function targets() {
  const found = finding();
  if (!found) return [];
  const straight = lines(found);
  return found.measurements
    .map((measurement) => measurement.name)
    .filter((name) => (ROUND.has(name) ? found.ellipse : straight[name]));
}

/** The geometry under the hand, or what is kept: {ellipse} or {name, ends}. */
export function shape(name = target()) {
  const found = finding();
  if (!found || !name) return null;
  if (state.draft?.name === name) return state.draft;
  if (ROUND.has(name)) return found.ellipse ? { name, ellipse: found.ellipse } : null;
  const ends = lines(found)[name];
  return ends ? { name, ends } : null;
}

/** The edit that keeps a shape. */
export function asEdit(drawn) {
  if (drawn.ellipse) return ["ellipse", proper(drawn.ellipse)];
  return ["points", { [drawn.name]: drawn.ends.map((point) => point.map(rounded)) }];
}

/** All handles of a shape; `gap` is how far, in pixels of the picture, the turning one is off. */
export function handlesOf(drawn, gap) {
  if (!drawn) return [];
  return drawn.ellipse ? ofEllipse(drawn, gap) : ofLine(drawn);
}

function ofEllipse(drawn, gap) {
  const { ellipse, name } = drawn;
  const make = (changed) => ({ ...drawn, ellipse: changed });
  const ends = [
    ["long axis, first end", 0, -1], ["long axis, second end", 0, 1],
    ["short axis, first end", 1, -1], ["short axis, second end", 1, 1],
  ].map(([label, axis, side]) => ({
    id: `axis-${axis}-${side}`,
    label: `${name}: ${label}`,
    kind: "end",
    at: axisEnd(ellipse, axis, side),
    value: 2 * ellipse.semi_axes_px[axis],
    said: `axis ${(2 * ellipse.semi_axes_px[axis]).toFixed(1)} pixels`,
    to: (point) => make(withAxisEnd(ellipse, axis, side, point)),
    by: (key, size) => {
      const end = stretched(ellipse, axis, side, key, size);
      return make(withAxisEnd(ellipse, axis, side, end));
    },
  }));
  const [long] = directions(ellipse);
  const reach = ellipse.semi_axes_px[0] + gap;
  return [
    {
      id: "centre",
      label: `${name}: centre`,
      kind: "centre",
      at: ellipse.center_px,
      ...placeOf(ellipse.center_px),
      to: (point) => make(withCenter(ellipse, point)),
      by: (key, size) => make(withCenter(ellipse, nudged(ellipse.center_px, key, size))),
    },
    ...ends,
    {
      id: "turn",
      label: `${name}: rotation`,
      kind: "turn",
      at: [ellipse.center_px[0] + long[0] * reach, ellipse.center_px[1] + long[1] * reach],
      value: proper(ellipse).angle_deg,
      said: `${proper(ellipse).angle_deg.toFixed(1)} degrees`,
      to: (point) => make(turnedTo(ellipse, point)),
      by: (key, size) => make(turnedBy(ellipse, size * (STEP[key][0] + STEP[key][1]))),
    },
  ];
}

function ofLine(drawn) {
  const { ends, name } = drawn;
  const centre = middle(...ends);
  const shifted = (point) => {
    const by = minus(point, centre);
    return { ...drawn, ends: ends.map((end) => [end[0] + by[0], end[1] + by[1]]) };
  };
  const atEnds = ends.map((end, k) => {
    const to = (point) => ({ ...drawn, ends: ends.map((other, j) => (j === k ? point : other)) });
    return {
      id: `end-${k}`,
      label: `${name}: ${k ? "second" : "first"} calliper`,
      kind: "calliper",
      at: end,
      ...placeOf(end),
      to,
      by: (key, size) => to(nudged(end, key, size)),
    };
  });
  const whole = {
    id: "centre",
    label: `${name}: whole line`,
    kind: "centre",
    at: centre,
    ...placeOf(centre),
    to: shifted,
    by: (key, size) => shifted(nudged(centre, key, size)),
  };
  return length(minus(...ends)) > 0 ? [...atEnds, whole] : atEnds;
}

const placeOf = (point) => ({
  value: point[1],
  said: `row ${point[0].toFixed(1)}, column ${point[1].toFixed(1)}`,
});

const nudged = (point, key, size) => [
  point[0] + STEP[key][0] * size,
  point[1] + STEP[key][1] * size,
];

/** The end of an axis moved along it: the way the arrow points, or longer for up and right. */
function stretched(ellipse, axis, side, key, size) {
  const unit = directions(ellipse)[axis];
  const along = side * (unit[0] * STEP[key][0] + unit[1] * STEP[key][1]);
  const longer = key === "ArrowUp" || key === "ArrowRight" ? 1 : -1;
  const by = side * size * (Math.abs(along) > 0.5 ? Math.sign(along) : longer);
  const end = axisEnd(ellipse, axis, side);
  return [end[0] + unit[0] * by, end[1] + unit[1] * by];
}

/** How far an arrow key moves: 1, with Shift 10, with Alt 0.2; 0 for other keys. */
export function stepOf(event) {
  if (!STEP[event.key] || event.ctrlKey || event.metaKey) return 0;
  if (event.shiftKey) return 10;
  return event.altKey ? 0.2 : 1;
}
