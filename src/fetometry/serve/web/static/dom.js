// Small helpers to build elements and to bring a part of the page up to date without losing focus.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onkeydown", "ontoggle"];

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else if (name === "checked" || name === "selected") element[name] = Boolean(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Build an HTML element; text becomes text nodes, never markup. */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** Build an SVG element. */
export function s(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Give a parent these children, and keep those that are there already where they are alike. */
export function fill(parent, ...children) {
  const wanted = nodes(children);
  const present = [...parent.childNodes];
  wanted.forEach((node, k) => {
    const was = present[k];
    if (!was) parent.append(node);
    else if (alike(was, node)) adopt(was, node);
    else was.replaceWith(node);
  });
  present.slice(wanted.length).forEach((node) => node.remove());
}

function alike(one, other) {
  if (one.nodeType !== other.nodeType || one.nodeName !== other.nodeName) return false;
  if (one.nodeType !== Node.ELEMENT_NODE) return true;
  return one.id === other.id && one.dataset.key === other.dataset.key;
}

function adopt(was, node) {
  if (was.nodeType !== Node.ELEMENT_NODE) {
    if (was.data !== node.data) was.data = node.data;
    return;
  }
  const kept = was.nodeName === "DETAILS" || was.nodeName === "DIALOG" ? ["open"] : [];
  for (const { name } of [...was.attributes]) {
    if (!node.hasAttribute(name) && !kept.includes(name)) was.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (was.getAttribute(name) === value || kept.includes(name)) continue;
    was.setAttribute(name, value);
    // without a change from outside, what was typed stays
    if (name === "value" && was.nodeName === "INPUT") was.value = value;
  }
  for (const name of HANDLERS) was[name] = node[name];
  fill(was, [...node.childNodes]);
  if (was.nodeName === "INPUT") was.checked = node.checked;
  if (was.nodeName === "SELECT") was.value = node.value;
}

/** A button with words on it, or with a sign and a name for those who do not see it. */
export function button(text, onclick, props = {}) {
  return h("button", { type: "button", onclick, ...props }, text);
}

/** A labelled input; the label is above it. */
export function field(id, label, props = {}, hint = "") {
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h("input", { id, "aria-describedby": hint ? `${id}-hint` : null, ...props }),
    hint && h("span", { class: "hint", id: `${id}-hint` }, hint),
  );
}
