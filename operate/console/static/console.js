// The console: the view that the address names, as #view/id?filter.

import { el, show } from "./dom.js";
import { read } from "./live.js";
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
  leave = VIEWS[name].view(byId("view"), { id, query })?.leave;
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
  const local = one.environment === "local";
  byId("about").textContent = local ? "console, of this machine" : `${one.stack}, ${one.region}`;
  document.title = `Dovecote: ${local ? "this machine" : one.stack}`;
  if (local) show(byId("elsewhere"), el("a", { href: "/" }, "The playground"));
}

addEventListener("hashchange", () => {
  if (location.hash === "#main") {
    byId("main").focus();
    return;
  }
  go();
  byId("view").querySelector("h2")?.focus({ preventScroll: true });
});
read("/_console/about").then(about);
go();
