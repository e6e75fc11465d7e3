// What the exam says: age, weight, every value that counts with its interval and centile.

import { h, s } from "./dom.js";
import { shown, twins } from "./state.js";
import { swatch } from "./tools.js";
import { capital, fetusText, rangeText, valueText } from "./words.js";

/** The numbers of every fetus. */
export function numbers() {
  const exam = shown();
  if (!exam) return [];
  const names = new Set([...Object.keys(exam.growth), ...exam.selected.map((one) => one.fetus)]);
  const fetuses = [...names].sort((one, other) => !one - !other || one.localeCompare(other));
  if (!fetuses.length) {
    const why = { measuring: "Being measured\u2026", failed: "Nothing was measured." };
    return h("p", { class: "dim" }, why[exam.state] ?? "No value counts yet.");
  }
  return fetuses.map((fetus) => one(exam, fetus));
}

function one(exam, fetus) {
  const growth = exam.growth[fetus];
  const values = exam.selected.filter((entry) => entry.fetus === fetus);
  const named = fetus || twins(exam);
  const heading = named ? "h4" : "h3";
  return h(
    "section",
    { class: "fetus", "data-key": `fetus-${fetus}`, "aria-label": fetusText(fetus, named) },
    named && h("h3", {}, fetusText(fetus, named)),
    h("div", { class: "facts" }, age(growth?.age), weight(growth?.weight)),
    table(values, placements(growth), growth?.weight),
    placements(growth).some((placed) => placed.circular)
      ? h("p", { class: "dim small" }, "Hollow: the age was estimated from this value itself.")
      : null,
    notes("missing", "Missing for a weight", growth?.missing ?? [], heading),
    notes("sentences", "To be pointed out", growth?.sentences ?? [], heading),
  );
}

const placements = (growth) => growth?.placements ?? [];

function age(found) {
  return fact("Gestational age", found ? found.text : "Not known", found ? agePart(found.how) : "");
}

/** The part of the server's sentence after the age itself, which stands above it. */
const agePart = (how) => capital(how.replace(/^\d+w\dd(\s\(.*?\))?,\s*/, ""));

function weight(found) {
  if (!found) return fact("Estimated weight", "Not known", "");
  const circular = found.circular ? " (circular)" : "";
  const how = found.centile ? `Centile ${found.centile}${circular}` : found.formula;
  return fact("Estimated weight", valueText(found.grams, "g"), how);
}

function fact(label, value, how) {
  return h(
    "div",
    { class: "fact" },
    h("span", { class: "label" }, label),
    h("span", { class: "big" }, value),
    h("span", { class: "dim" }, how),
  );
}

function table(values, placements, weight) {
  const rows = values.map((entry) => row(entry, placements.filter((p) => p.name === entry.name)));
  if (!rows.length) return null;
  const weights = placements.filter((placed) => placed.name === "EFW");
  return h(
    "table",
    { class: "values" },
    h("caption", { class: "unseen" }, "Values that count, with interval and centile"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, h("span", { class: "unseen" }, "Measurement")),
        ["Value", "95 %", "Centile"].map((text) => h("th", { scope: "col" }, text)),
      ),
    ),
    h("tbody", {}, rows, weight ? weightRow(weight, weights) : null),
  );
}

function row(entry, placed) {
  const repeats = entry.count > 1 ? `${entry.how} of ${entry.count}` : "";
  const chosen = entry.how === "chosen" ? "chosen by hand" : repeats;
  return h(
    "tr",
    { "data-key": entry.name },
    h("th", { scope: "row" }, swatch(entry.name), entry.name),
    h("td", { class: "value" }, valueText(entry.value, entry.unit), chosen && small(chosen)),
    h("td", { class: "range" }, rangeText(entry.low, entry.high, entry.unit) || "\u2013"),
    h("td", {}, placed.length ? placed.map(centile) : "\u2013"),
  );
}

function weightRow(weight, placed) {
  return h(
    "tr",
    { "data-key": "EFW" },
    h("th", { scope: "row" }, swatch("EFW"), "EFW"),
    h("td", { class: "value" }, valueText(weight.grams, "g")),
    h("td", { class: "range" }, rangeText(weight.low, weight.high, "g") || "\u2013"),
    h("td", {}, placed.length ? placed.map(centile) : "\u2013"),
  );
}

const small = (text) => h("span", { class: "dim small" }, text);

/** A centile in words, over a strip that shows where it lies between -2.5 and 2.5 SD. */
function centile(placed) {
  return h(
    "div",
    { class: "centile", title: placed.title },
    h("span", {}, placed.centile ?? placed.text),
    placed.z === null || placed.z === undefined ? null : strip(placed.z, placed.circular),
  );
}

const REACH = 2.5;
const MARKS = [-1.8808, -1.2816, 0, 1.2816, 1.8808]; // 3rd, 10th, 50th, 90th, 97th

function strip(z, circular) {
  const at = (value) => 50 + (Math.min(Math.max(value, -REACH), REACH) / REACH) * 46;
  const x = at(z);
  const low = at(MARKS[1]);
  return s(
    "svg",
    { class: "strip", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "band", x: low, y: 4, width: at(MARKS[3]) - low, height: 4 }),
    s("line", { x1: 4, x2: 96, y1: 6, y2: 6, class: "axis" }),
    MARKS.map((mark) => {
      const half = mark ? 3 : 5;
      return s("line", { class: "tick", x1: at(mark), x2: at(mark), y1: 6 - half, y2: 6 + half });
    }),
    s("path", {
      d: `M ${x - 3} 6 L ${x} 1 L ${x + 3} 6 L ${x} 11 Z`,
      class: circular ? "point circular" : "point",
    }),
  );
}

function notes(kind, title, texts, heading) {
  if (!texts.length) return null;
  return h(
    "div",
    { class: `notes ${kind}`, "data-key": kind },
    h(heading, {}, title),
    h("ul", {}, texts.map((text) => h("li", {}, capital(text)))),
  );
}
