// Growth charts: centile curves, earlier exams and this one. Line and shape tell, not colour.

import { button, h, s } from "./dom.js";
import { change, finding, MAIN, shown, state, twins } from "./state.js";
import { dateText, fetusText } from "./words.js";

const BOX = { left: 40, right: 340, top: 20, bottom: 160, width: 372, height: 190 };

/** One chart at a time, with a button for each. */
export function charts() {
  const exam = shown();
  const every = Object.entries(exam?.growth ?? {}).flatMap(([fetus, growth]) =>
    growth.charts.map((chart) => ({ ...chart, fetus, id: `${chart.name} ${chart.title}` })));
  if (!every.length) {
    const wanting = ["ready", "signed"].includes(exam.state);
    const why = "A chart needs a value in millimetres and an age.";
    return [wanting && h("p", { class: "dim" }, why), earlier(exam)];
  }
  const ids = [...new Set(every.map((chart) => chart.id))];
  const main = MAIN[finding()?.plane] ?? "HC";
  const first = ids.find((id) => id.startsWith(`${main} `)) ?? ids[0];
  const wanted = ids.includes(state.chart) ? state.chart : first;
  const named = (id) => every.find((chart) => chart.id === id).name;
  const double = (id) => ids.filter((other) => named(other) === named(id)).length > 1;
  return [
    h(
      "div",
      { class: "group wrap", role: "group", "aria-label": "Chart" },
      ids.map((id) =>
        button(double(id) ? id : named(id), () => change({ chart: id }), {
          "data-key": id,
          "aria-pressed": String(id === wanted),
        })),
    ),
    every
      .filter((chart) => chart.id === wanted)
      .map((chart) =>
        h(
          "figure",
          { class: "chart", "data-key": chart.fetus },
          draw(chart),
          h(
            "figcaption",
            {},
            (chart.fetus || twins(exam)) && `${fetusText(chart.fetus, true)}: `,
            titled(chart),
          ),
        )),
    earlier(exam),
  ];
}

/** Earlier exams in words, as the hollow points show them. */
function earlier(exam) {
  if (!exam.previous.length) return null;
  const several = twins(exam);
  return h(
    "div",
    { class: "earlier", "data-key": "earlier" },
    h("h3", {}, "Earlier exams", h("span", { class: "dim small" }, " (hollow points)")),
    h(
      "ul",
      {},
      exam.previous.map((one) =>
        h(
          "li",
          {},
          h("strong", {}, one.age || "Age not known"),
          [
            one.when && dateText(one.when),
            several && fetusText(one.fetus, true),
            sourceText(one.source),
          ].filter(Boolean).map((text) => ` \u00b7 ${text}`),
        )),
    ),
  );
}

/** A document that was uploaded has a number on disk, which says nothing to anybody. */
const sourceText = (source) => (/^\d+\.json$/.test(source) ? "uploaded exam.json" : source);

const titled = (chart) => `${chart.title} (${chart.unit})`;

function draw(chart) {
  const curves = [...chart.curves].sort((one, other) => one.centile - other.centile);
  const xs = [...curves.flatMap((c) => c.points.map((p) => p[0])), ...chart.points.map((p) => p.x)];
  const ys = [...curves.flatMap((c) => c.points.map((p) => p[1])), ...chart.points.map((p) => p.y)];
  if (!xs.length) return null;
  const [x0, x1] = [Math.floor(Math.min(...xs)), Math.ceil(Math.max(...xs))];
  const [yTicks, y0, y1] = ticks(Math.min(...ys), Math.max(...ys));
  const x = (value) => BOX.left + ((value - x0) / (x1 - x0 || 1)) * (BOX.right - BOX.left);
  const y = (value) => BOX.bottom - ((value - y0) / (y1 - y0 || 1)) * (BOX.bottom - BOX.top);
  const place = ([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`;
  const path = (points) => points.map(place).join(" ");
  return s(
    "svg",
    { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": spoken(chart) },
    band(curves, path),
    axes(x, y, x0, x1, yTicks, chart.unit),
    curves.map((curve) => line(curve, curves, path)),
    labels(curves, x, y),
    points(chart.points, x, y),
  );
}

function band(curves, path) {
  if (curves.length < 4) return null;
  const low = curves[1].points;
  const high = [...curves.at(-2).points].reverse();
  return s("path", { class: "band", d: `${path([...low, ...high])} Z` });
}

function line(curve, curves, path) {
  const away = Math.abs(curves.indexOf(curve) - (curves.length - 1) / 2);
  const step = Math.min(Math.round(away), 2);
  return s("path", { class: `curve step-${step}`, d: path(curve.points) });
}

/** The centiles at the right end of their curves, moved apart where they would touch. */
function labels(curves, x, y) {
  let last = Infinity;
  return curves.map((curve) => {
    const [a, b] = curve.points.at(-1);
    const at = Math.min(y(b) + 3, last - 9);
    last = at;
    return s("text", { x: x(a) + 4, y: at, class: "end" }, String(curve.centile));
  });
}

function axes(x, y, x0, x1, yTicks, unit) {
  const weeks = [];
  for (let week = Math.ceil(x0 / 4) * 4; week <= x1; week += 4) weeks.push(week);
  return [
    yTicks.map((value) => [
      s("line", { x1: BOX.left, x2: BOX.right, y1: y(value), y2: y(value), class: "grid" }),
      s("text", { x: BOX.left - 5, y: y(value) + 3, class: "tick-y" }, String(value)),
    ]),
    weeks.map((week) => [
      s("line", { x1: x(week), x2: x(week), y1: BOX.bottom, y2: BOX.bottom + 3, class: "grid" }),
      s("text", { x: x(week), y: BOX.bottom + 14, class: "tick-x" }, String(week)),
    ]),
    s("text", { x: (BOX.left + BOX.right) / 2, y: BOX.height - 2, class: "tick-x" }, "weeks"),
    s("text", { x: BOX.left - 5, y: 9, class: "tick-y" }, unit),
  ];
}

function ticks(low, high) {
  const rough = (high - low || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough);
  const first = Math.floor(low / step) * step;
  const found = [];
  for (let value = first; value <= high + step * 0.999; value += step) {
    found.push(Math.round(value * 1e6) / 1e6);
  }
  return [found, found[0], found.at(-1)];
}

function points(all, x, y) {
  const ordered = [...all].sort((one, other) => one.x - other.x);
  const trail = ordered.map((p) => `${x(p.x)},${y(p.y)}`).join(" ");
  return [
    ordered.length > 1 ? s("polyline", { points: trail, class: "trail" }) : null,
    ordered.map((point) => {
      const [a, b] = [x(point.x), y(point.y)];
      const rhomb = `M ${a - 5} ${b} L ${a} ${b - 6} L ${a + 5} ${b} L ${a} ${b + 6} Z`;
      const shape = point.now
        ? s("path", { d: rhomb, class: `point now${point.circular ? " circular" : ""}` })
        : s("circle", { cx: a, cy: b, r: 3.5, class: "point before" });
      const which = point.now ? "This exam" : "Earlier exam";
      return s(
        "g",
        {},
        s("title", {}, `${which}, ${point.label}`),
        s("circle", { cx: a, cy: b, r: 9, class: "reach" }),
        shape,
      );
    }),
  ];
}

function spoken(chart) {
  return `${chart.title}. ${chart.points.map((point) => point.label).join("; ")}`;
}
