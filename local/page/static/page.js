// The page: one poll of the state, the panels, and the view that the address names (#view/id).

import { el, show } from "/_console/static/dom.js";
import { follow } from "/_console/static/live.js";
import { count, label } from "/_console/static/words.js";
import { agreement } from "./panels/agreement.js";
import { breaks } from "./panels/breaks.js";
import { send } from "./panels/send.js";
import { routes } from "./views/routes.js";
import { story } from "./views/story.js";
import { messages } from "./views/messages.js";
import { deadLetters } from "./views/dead-letters.js";
import { ledger } from "./views/ledger.js";

// A view is called with its container and the id of the address; it returns what shows a state,
// and, if it needs it, `leave`.
const VIEWS = {
  routes: { title: "Routes", view: routes },
  "dead-letters": {
    title: "Dead letters",
    view: deadLetters,
    of: (state) => state.dead_letters?.length,
  },
  ledger: { title: "Provider", view: ledger, of: (state) => state.received },
  notifications: { title: "", view: story },
};

const byId = (id) => document.getElementById(id);
let state = null;
let current = null;
let shown = "";

/** Return the views by name, with the messages of each channel behind the routes. */
function views() {
  const own = (state?.channels ?? []).map((channel) => [
    `messages-${channel}`,
    { title: label(channel), view: messages(channel), of: (known) => accepted(known, channel) },
  ]);
  return Object.fromEntries([["routes", VIEWS.routes], ...own, ...Object.entries(VIEWS)]);
}

function accepted(known, channel) {
  return known.messages?.filter((one) => one.channel === channel).length;
}

function address() {
  const [name, id] = location.hash.slice(1).split("/");
  return Object.hasOwn(views(), name) ? { name, id: id && decodeURIComponent(id) } : { name: "routes" };
}

function go() {
  if (location.hash === "#main") return;
  const { name, id } = address();
  if (shown !== `${name}/${id}`) {
    current?.leave?.();
    byId("view").replaceChildren();
    current = views()[name].view(byId("view"), id);
    shown = `${name}/${id}`;
  }
  tabs(name);
  if (state) current.show(state);
}

function tabs(name) {
  const made = Object.entries(views()).filter(([, one]) => one.title);
  show(
    byId("tabs"),
    made.map(([key, one]) => {
      const number = state && one.of?.(state);
      const here = key === name || (key === "routes" && name === "notifications");
      const attributes = { href: `#${key}`, "data-key": key, "aria-current": here && "page" };
      const badge = number ? el("span", { class: "badge" }, String(number)) : null;
      return el("li", {}, el("a", attributes, one.title, badge && " ", badge));
    }),
  );
}

function lamp(id, good, text) {
  const lit = byId(id);
  lit.className = `lamp ${good ? "good" : "bad"}`;
  if (lit.textContent !== text) lit.textContent = text;
}

function lamps(up) {
  lamp("lamp-stack", up, up ? "Stack runs" : "Stack is stopped");
  const database = up && state?.database;
  lamp("lamp-database", database, database ? "PostgreSQL runs" : "PostgreSQL is down");
  const orders = state?.orders ?? 0;
  lamp("lamp-provider", up && !orders, orders ? "Provider is told to fail" : "Provider is well");
}

// What a screen reader is told: ends and trouble, not each step.
function news(before, now) {
  const told = [];
  if (before && before.database !== now.database) {
    told.push(now.database ? "PostgreSQL runs again." : "PostgreSQL is down.");
  }
  const dead = (now.dead_letters?.length ?? 0) - (before?.dead_letters?.length ?? 0);
  if (before && dead > 0) told.push(`${count(dead, "new dead letter")}.`);
  const { live, published } = now.agreement ?? {};
  if (before?.agreement?.live > 0 && live === 0) {
    told.push(`All routes have ended: ${published} published.`);
  }
  if (told.length) byId("news").textContent = told.join(" ");
}

function changed(answer) {
  if (answer) {
    // What only the database knows stays as it was last known while that is down.
    const merged = { ...state, ...answer };
    news(state, merged);
    state = merged;
    agreement(byId("agreement-body"), state);
    disturbed.show(state);
    go();
  }
  lamps(true);
}

const disturbed = breaks(byId("breaks"), byId("mend"), byId("broken"), () => poll.ask());
send(byId("send"), byId("sent"), () => state, () => poll.ask());
addEventListener("hashchange", () => {
  go();
  if (location.hash === "#main") byId("main").focus();
  else byId("view").querySelector("h2")?.focus({ preventScroll: true });
});
const poll = follow("/_local/state", changed, () => lamps(false));
go();

// In a narrow window the controls would push the routes far down.
if (matchMedia("(max-width: 820px)").matches) {
  for (const panel of document.querySelectorAll("details.panel")) panel.open = false;
}
