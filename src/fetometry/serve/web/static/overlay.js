// What is drawn over the picture: outline, lines, the model's proposal, and the handles.

import { s } from "./dom.js";
import { axisEnd, lines, proper } from "./geometry.js";

const ROUND = { head: "HC", abdomen: "AC" };

/** All shapes of one finding, from the bottom to the top. */
export function drawing({ found, drawn, handles, toScreen, k, active, line, ruler }) {
  const parts = [];
  if (found) {
    const straight = lines(found);
    const round = ROUND[found.plane];
    const ellipse = drawn?.ellipse ?? found.ellipse;
    if (found.edited || drawn?.ellipse) parts.push(ghost(found.proposal, toScreen, k));
    if (ellipse && round) parts.push(oval(ellipse, `shape m-${round}`, toScreen, k));
    for (const [name, ends] of Object.entries(straight)) {
      // the axes of an ellipse under the hand follow it only when the server has measured it
      const now = drawn?.name === name ? drawn.ends : ends;
      parts.push(calliper(name, now, toScreen, name === active));
    }
  }
  if (ruler) parts.push(calliper("ruler", ruler, toScreen, true));
  if (line) parts.push(stroke(line, "shape sketch", toScreen));
  if (drawn?.ellipse) parts.push(stem(drawn.ellipse, handles, toScreen));
  return [parts, handles.map((handle) => knob(handle, toScreen))];
}

function oval(ellipse, kind, toScreen, k) {
  const at = placed(proper(ellipse), toScreen, k);
  return s("g", {}, s("ellipse", { ...at, class: "rim" }), s("ellipse", { ...at, class: kind }));
}

function placed({ center_px: centre, semi_axes_px: [a, b], angle_deg: angle }, toScreen, k) {
  const [cy, cx] = toScreen(centre);
  return { cx, cy, rx: a * k, ry: b * k, transform: `rotate(${angle} ${cx} ${cy})` };
}

function ghost(proposal, toScreen, k) {
  if (!proposal) return null;
  if (proposal.ellipse) {
    return s("ellipse", { class: "ghost", ...placed(proposal.ellipse, toScreen, k) });
  }
  return Object.values(lines(proposal)).map((ends) => stroke(ends, "ghost", toScreen));
}

function stroke(ends, kind, toScreen) {
  const [[y1, x1], [y2, x2]] = ends.map(toScreen);
  return s("line", { class: kind, x1, y1, x2, y2 });
}

/** A line with a cross at each end, as callipers on a machine look. */
function calliper(name, ends, toScreen, active) {
  const marks = ends.map(toScreen).map(([row, col]) =>
    s("path", {
      class: `cross m-${name}`,
      d: `M ${col - 6} ${row} h 12 M ${col} ${row - 6} v 12`,
    }),
  );
  return s(
    "g",
    { class: active ? "active" : null },
    stroke(ends, "rim", toScreen),
    stroke(ends, `shape m-${name}`, toScreen),
    marks,
  );
}

function stem(ellipse, handles, toScreen) {
  const turn = handles.find((handle) => handle.kind === "turn");
  return turn && stroke([axisEnd(ellipse, 0, 1), turn.at], "stem", toScreen);
}

const KNOBS = {
  end: () => s("rect", { x: -5, y: -5, width: 10, height: 10, class: "knob" }),
  calliper: () => s("circle", { r: 6, class: "knob open" }),
  centre: () => s("path", { d: "M -8 0 h 16 M 0 -8 v 16", class: "knob line" }),
  turn: () => s("circle", { r: 5.5, class: "knob" }),
};

function knob(handle, toScreen) {
  const [row, col] = toScreen(handle.at);
  return s(
    "g",
    {
      id: `handle-${handle.id}`,
      "data-handle": handle.id,
      class: `handle ${handle.kind}`,
      transform: `translate(${col} ${row})`,
      role: "slider",
      tabindex: 0,
      "aria-label": handle.label,
      "aria-valuenow": Math.round(handle.value * 10) / 10,
      "aria-valuetext": handle.said,
    },
    s("circle", { r: 17, class: "reach" }),
    s("circle", { r: 13, class: "halo" }),
    KNOBS[handle.kind](),
  );
}
