// What can be opened: the worklist, and the exams that are here already.

import * as api from "./api.js";
import { field, h } from "./dom.js";
import { opened } from "./exams.js";
import { change, state } from "./state.js";
import { personText, stateText, whenText } from "./words.js";

const FEW = 8; // of more there is a field to find one
const ORDER = { new: 0, open: 1, signed: 2 };

/** The worklist, and the exams that are kept. */
export function lists() {
  return [
    list("Worklist", inOrder(state.worklist), work),
    list("Exams here", state.exams, kept),
  ];
}

/** The new ones first, the signed ones last; of each the newest first. */
const inOrder = (items) =>
  [...items].sort((one, other) =>
    (ORDER[one.state] ?? 1) - (ORDER[other.state] ?? 1) || other.when.localeCompare(one.when));

function list(title, items, row) {
  if (!items.length) return null;
  const wanted = items.length > FEW ? words(state.find[title] ?? "") : [];
  const found = items.filter((item) => wanted.every((word) => asText(item).includes(word)));
  return h(
    "div",
    { "data-key": title },
    h("h3", {}, title),
    items.length > FEW && finder(title, wanted.length && `${found.length} of ${items.length}`),
    h("ul", { class: "list" }, found.map(row)),
  );
}

function finder(title, count) {
  const id = `find-${title.toLowerCase().replaceAll(" ", "-")}`;
  return h(
    "div",
    { class: "finder" },
    field(id, "Find by name, id or label", {
      type: "search", autocomplete: "off",
      oninput: (event) => change({ find: { ...state.find, [title]: event.target.value } }),
    }),
    h("p", { class: "dim small", role: "status" }, count || ""),
  );
}

const words = (text) => plain(text).split(/[\s,^]+/).filter(Boolean);

/** Without capitals and accents, which nobody types. */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const asText = ({ label, patient }) => plain([label, patient?.name, patient?.id].join(" "));

function work(item) {
  const when = item.when ? whenText(item.when) : "";
  const images = `${item.images} ${item.images === 1 ? "image" : "images"}`;
  const from = item.from === "node" ? "from the node" : "";
  const facts = [item.label, images, when, from];
  return line(item, item.exam ?? item.key, facts, () =>
    opened(item.exam ? api.readExam(item.exam) : api.takeFromWorklist(item.key)),
  );
}

function kept(item) {
  const facts = [item.label, whenText(item.created)];
  return line(item, item.id, facts, () => opened(api.readExam(item.id)));
}

/** Whose exam it is, where the file says so; its label stands for it otherwise. */
function named(item) {
  const { name, id } = item.patient ?? {};
  return [personText(name ?? ""), id].filter(Boolean).join(" \u00b7 ") || item.label;
}

function line(item, key, facts, onclick) {
  const current = state.exam?.id === key;
  return h(
    "li",
    { "data-key": key },
    h(
      "button",
      { type: "button", class: "item", "aria-current": current ? "true" : null, onclick },
      h(
        "span",
        { class: "item-head" },
        h("strong", {}, named(item)),
        h("span", { class: `badge ${item.state}` }, stateText(item.state)),
      ),
      h("span", { class: "dim" }, facts.filter(Boolean).join(" \u00b7 ")),
    ),
  );
}
