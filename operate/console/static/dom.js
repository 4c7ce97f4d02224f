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

/** Make the picture of a channel, which repeats the text next to it; some channels have none. */
export function icon(channel) {
  const attributes = { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" };
  const href = `/_console/static/channels/${encodeURIComponent(channel)}.svg#icon`;
  return svg("svg", attributes, svg("use", { href }));
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
