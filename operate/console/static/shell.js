// The tabs, and the view that the address names as #view/id?filter.

import { ask } from "./api.js";
import { el, nothing, show } from "./dom.js";
import { askTabs, takeKey } from "./key.js";
import { deadLetters } from "./views/dead-letters.js";
import { find } from "./views/find.js";
import { overview } from "./views/overview.js";
import { story } from "./views/story.js";
import { templates } from "./views/templates.js";

// The shell calls a view with its container and its context; a view may return `leave`. `badge`
// returns the number that a tab shows. A view without a title has no tab.
const SHARED = {
  overview: { title: "Overview", view: overview },
  "dead-letters": { title: "Dead letters", view: deadLetters },
  find: { title: "Find", view: find },
  templates: { title: "Templates", view: templates },
  notifications: { title: "", view: story },
};

const byId = (id) => document.getElementById(id);
let views = SHARED;
let more = () => ({});
let leave = null;
let open = false;
let starts = 0;
let channels = [];
let list = null; // the address of the last view that has a tab

function address() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [name, id = ""] = path.split("/");
  const known = Object.hasOwn(views, name) ? name : Object.keys(views)[0];
  return { name: known, id: decodeURIComponent(id), query: new URLSearchParams(query) };
}

function go() {
  const { name, id, query } = address();
  leave?.();
  const { hash } = location;
  if (views[name].title) list = { name, href: hash.startsWith(`#${name}`) ? hash : `#${name}` };
  list ??= { name: "find", href: "#find" };
  showTabs();
  byId("view").replaceChildren();
  const back = el("a", { href: list.href }, `← ${views[list.name].title}`);
  const has = (other) => Object.hasOwn(views, other);
  leave = views[name].view(byId("view"), { id, query, channels, back, has })?.leave;
}

/** Show the tabs, with the current numbers on them. */
export function showTabs() {
  if (!open) return;
  const made = Object.entries(views).filter(([, one]) => one.title);
  show(
    byId("tabs"),
    made.map(([name, one]) => {
      const here = name === list.name && "page";
      const attributes = { href: `#${name}`, "data-key": name, "aria-current": here };
      const number = one.badge?.();
      const badge = number ? [" ", el("span", { class: "badge" }, String(number))] : [];
      return el("li", {}, el("a", attributes, one.title, badge));
    }),
  );
}

function about(one) {
  channels = one.channels;
  views = { ...more(channels), ...SHARED };
  const local = one.environment === "local";
  byId("about").textContent = local ? "on this machine" : `${one.stack}, ${one.region}`;
  document.title = `Dovecote: ${local ? "this machine" : one.stack}`;
}

/** Ask which stack this is; without a key say how to get one. */
async function identify() {
  const own = (starts += 1);
  try {
    about(await identified());
    open = true;
    go();
  } catch (refusal) {
    // A key that came in the meantime has its own answer.
    if (own === starts) locked(refusal.words);
  }
}

async function identified() {
  try {
    return await ask("GET", "/_console/about");
  } catch (refusal) {
    if (refusal.status === 401 && (await askTabs())) return ask("GET", "/_console/about");
    throw refusal;
  }
}

function locked(words) {
  open = false;
  leave?.();
  leave = null;
  byId("tabs").replaceChildren();
  const title = el("h2", { tabindex: "-1" }, "The console is locked");
  show(byId("view"), title, nothing(words));
  title.focus({ preventScroll: true });
}

addEventListener("hashchange", () => {
  if (takeKey()) {
    identify();
    return;
  }
  if (!open) return;
  if (location.hash === "#main") {
    byId("main").focus();
    return;
  }
  go();
  byId("view").querySelector("h2")?.focus({ preventScroll: true });
});

/** Open the view that the address names; `own` returns the views before the shared ones. */
export function start(own = () => ({})) {
  more = own;
  takeKey();
  identify();
}
