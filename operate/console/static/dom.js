// Elements are made here and nowhere else. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: attributes by name, "on…" handlers, children that are nodes or text. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an element of a picture in the same way. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const ICONS = {
  email: "M2 4h12v8H2zm0 .5 6 4.5 6-4.5",
  push: "M5 1.5h6v13H5zM7.2 12.5h1.6",
};

/** Make a small picture that says nothing the text beside it does not. */
export function icon(name) {
  const attributes = { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" };
  return svg("svg", attributes, svg("path", { d: ICONS[name] }));
}

/** Put nodes in the place of what a container holds; the focus stays on the same key. */
export function show(container, ...nodes) {
  const focused = document.activeElement;
  const key = container.contains(focused) ? focused.dataset.key : undefined;
  const open = new Set(
    [...container.querySelectorAll("details[open]")].map((one) => one.dataset.key),
  );
  container.replaceChildren(...nodes.flat().filter(Boolean));
  for (const one of container.querySelectorAll("details")) {
    if (open.has(one.dataset.key)) one.open = true;
  }
  if (key !== undefined) {
    container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }
}

/** Make a list of names and values. */
export function facts(pairs) {
  return el(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

/** Say that there is nothing, and what to do about it. */
export function nothing(text) {
  return el("p", { class: "nothing" }, text);
}
