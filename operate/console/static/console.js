// The console: the view that the address names, as #view/id?filter.

import { ask } from "./api.js";
import { el, nothing, show } from "./dom.js";
import { askTabs, takeKey } from "./key.js";
import { deadLetters } from "./views/dead-letters.js";
import { find } from "./views/find.js";
import { overview } from "./views/overview.js";
import { story } from "./views/story.js";
import { templates } from "./views/templates.js";

// A view is called with its container and its address; it returns, if it needs it, `leave`.
const VIEWS = {
  overview: { title: "Overview", view: overview },
  "dead-letters": { title: "Dead letters", view: deadLetters },
  find: { title: "Find", view: find },
  templates: { title: "Templates", view: templates },
  notifications: { title: "", view: story, under: "find" },
};

const byId = (id) => document.getElementById(id);
let leave = null;
let open = false;
let starts = 0;
let channels = [];

function address() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [name, id = ""] = path.split("/");
  const known = Object.hasOwn(VIEWS, name) ? name : "overview";
  return { name: known, id: decodeURIComponent(id), query: new URLSearchParams(query) };
}

function go() {
  const { name, id, query } = address();
  leave?.();
  tabs(VIEWS[name].under ?? name);
  byId("view").replaceChildren();
  leave = VIEWS[name].view(byId("view"), { id, query, channels })?.leave;
}

function tabs(current) {
  const made = Object.entries(VIEWS).filter(([, one]) => one.title);
  show(
    byId("tabs"),
    made.map(([name, one]) => {
      const here = name === current && "page";
      const attributes = { href: `#${name}`, "data-key": name, "aria-current": here };
      return el("li", {}, el("a", attributes, one.title));
    }),
  );
}

function about(one) {
  channels = one.channels;
  const local = one.environment === "local";
  byId("about").textContent = local ? "console, of this machine" : `${one.stack}, ${one.region}`;
  document.title = `Dovecote: ${local ? "this machine" : one.stack}`;
  if (local) show(byId("elsewhere"), el("a", { href: "/" }, "The playground"));
}

/** Ask which stack this is; without a key say how to come by one. */
async function start() {
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
    start();
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
takeKey();
start();
