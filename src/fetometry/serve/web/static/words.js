// How numbers and states are said, the same everywhere on the page.

const NO_BREAK = "\u00a0";

/** A number as people type it, with a decimal point or a decimal comma; NaN where it is none. */
export function decimal(text) {
  const plain = text.trim().replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : NaN;
}

/** [row, col] in mm per pixel of one number or two ("0.12 x 0.15"); null where it is neither. */
export function scaleOf(text) {
  // between numbers with decimal points a comma can only part them
  const parted = text.trim().replace(/^(\d*\.\d+),(?=\d*\.\d+$)/, "$1 ");
  const parts = parted.split(/,?\s*[\s;x\u00d7]\s*/i);
  const numbers = parts.map(decimal);
  if (numbers.length > 2 || !numbers.every((number) => number > 0)) return null;
  return [numbers[0], numbers.at(-1)];
}

/** A scale as it is typed and read: once where rows and columns are alike. */
export function scaleText([row, col]) {
  const said = (mm) => String(Number(mm.toFixed(5)));
  return said(row) === said(col) ? said(row) : `${said(row)} x ${said(col)}`;
}

export const valueText = (value, unit) =>
  value === null || value === undefined
    ? "\u2013"
    : `${value.toFixed(unit === "g" ? 0 : 1)}${NO_BREAK}${unit}`;

export const rangeText = (low, high, unit) =>
  low === null || low === undefined || high === null || high === undefined
    ? ""
    : `${low.toFixed(unit === "g" ? 0 : 1)} to ${high.toFixed(unit === "g" ? 0 : 1)}`;

/** The quality of 0 to 1 in words. */
export function qualityText(quality) {
  if (quality >= 0.6) return "good quality";
  return quality >= 0.3 ? "fair quality" : "poor quality";
}

export const planeText = (plane) =>
  ({ head: "Head", abdomen: "Abdomen", femur: "Femur", none: "No plane" })[plane] ?? plane;

/** Whose an image is; in an exam of twins, where nobody said it, that. */
export const fetusText = (fetus, twins = false) =>
  fetus ? `Fetus ${fetus}` : twins ? "Fetus not said" : "Fetus";

/** An instant in UTC as the reader's clock says it, without seconds. */
export function whenText(instant) {
  const when = new Date(instant);
  return Number.isNaN(when.getTime())
    ? instant
    : when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** A day as the reader's clock says it. */
export function dateText(day) {
  const when = new Date(/^\d{4}-\d\d-\d\d$/.test(day) ? `${day}T00:00` : day);
  return Number.isNaN(when.getTime()) ? day : when.toLocaleDateString([], { dateStyle: "medium" });
}

export const stateText = (state) =>
  ({ new: "new", open: "in review", ready: "to review", measuring: "being measured",
     failed: "failed", signed: "signed off" })[state] ?? state;

/** A name as DICOM writes it, as people do. */
export const personText = (name) => name.split("^").filter(Boolean).reverse().join(" ");

/** What is not measured in an image, without the path of the file that the reader knows. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
