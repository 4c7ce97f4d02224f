// The local page: the console with the panels and views of the local stack.

import { showTabs, start } from "/_console/static/shell.js";
import { count, label } from "/_console/static/words.js";
import { agreement } from "./panels/agreement.js";
import { breaks } from "./panels/breaks.js";
import { send } from "./panels/send.js";
import { current, watch } from "./state.js";
import { ledger } from "./views/ledger.js";
import { messages } from "./views/messages.js";
import { routes } from "./views/routes.js";

const byId = (id) => document.getElementById(id);

function own(channels) {
  const inboxes = channels.map((channel) => [
    `messages-${channel}`,
    { title: label(channel), view: messages(channel), badge: () => accepted(channel) },
  ]);
  return {
    routes: { title: "Routes", view: routes },
    ...Object.fromEntries(inboxes),
    ledger: { title: "Provider", view: ledger, badge: () => current()?.received },
  };
}

function accepted(channel) {
  return current()?.messages.filter((one) => one.channel === channel).length;
}

function lamp(id, good, text) {
  const lit = byId(id);
  lit.className = `lamp ${good ? "good" : "bad"}`;
  if (lit.textContent !== text) lit.textContent = text;
}

function lamps(state) {
  lamp("lamp-stack", state, state ? "Stack runs" : "Stack is stopped");
  const database = state?.database;
  lamp("lamp-database", database, database ? "PostgreSQL runs" : "PostgreSQL is down");
  const orders = state?.orders;
  lamp("lamp-provider", state && !orders, orders ? "Provider is set to fail" : "Provider is well");
}

// A screen reader hears of ends and trouble, not of each step.
function news(before, now) {
  const heard = [];
  if (before.database !== now.database) {
    heard.push(now.database ? "PostgreSQL runs again." : "PostgreSQL is down.");
  }
  const [old, { live, published, statuses } = {}] = [before.agreement, now.agreement];
  const dead = (statuses?.dead_lettered ?? 0) - (old?.statuses.dead_lettered ?? 0);
  if (dead > 0) heard.push(`${count(dead, "new dead letter")}.`);
  if (old?.live > 0 && live === 0) heard.push(`All routes have ended: ${published} published.`);
  if (heard.length) byId("news").textContent = heard.join(" ");
}

start(own);
agreement(byId("agreement-body"));
breaks(byId("breaks"), byId("mend"), byId("broken"));
send(byId("send"), byId("sent"));
watch((state, before) => {
  lamps(state);
  if (state && before) news(before, state);
  showTabs();
});

// In a narrow window the controls would push the routes far down.
if (matchMedia("(max-width: 820px)").matches) {
  for (const panel of document.querySelectorAll("details.panel")) panel.open = false;
}
