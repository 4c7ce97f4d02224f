// A notification in a list, and how each of its routes stands.

import { el, icon } from "../dom.js";
import { chip, count, countdown, moment, reasonText, to } from "../words.js";

const MOST = 5;
const FIRST = ["retrying", "dead_lettered", "pending"];

/** Make the entry of a notification; `href` opens its story. */
export function entry(one, href) {
  const live = one.routes.some((route) => route.next_attempt_at);
  // What still moves, or ended badly, comes before what is done.
  const order = [...one.routes].sort((a, b) => weight(a) - weight(b));
  const rest = one.routes.length - MOST;
  return el(
    "article",
    { class: live ? "notification card live" : "notification card", "data-kind": one.kind },
    el(
      "header",
      {},
      el("h3", {}, el("a", { href, "data-key": one.notification_id }, one.kind)),
      el("span", { class: "key" }, one.idempotency_key),
      moment(one.created_at),
    ),
    bar(order),
    el("ul", { class: "routes" }, order.slice(0, MOST).map(line)),
    rest > 0 ? el("p", { class: "hint" }, `and ${count(rest, "more route")}`) : null,
  );
}

function weight({ status }) {
  return FIRST.includes(status) ? FIRST.indexOf(status) : FIRST.length;
}

function bar(order) {
  if (order.length < 3) return null;
  const statuses = order.map((route) => route.status).reverse();
  const text = [...new Set(statuses)].map((status) => {
    const number = statuses.filter((other) => other === status).length;
    return `${number} ${status.replace("_", " ")}`;
  });
  return el(
    "div",
    { class: "bar", role: "img", "aria-label": text.join(", ") },
    statuses.map((status) => el("i", { class: status })),
  );
}

function line(route) {
  const error = route.last_error;
  return el(
    "li",
    { class: "route" },
    chip(route.status),
    el(
      "span",
      { class: "to" },
      icon(route.channel),
      el("span", { class: "unseen" }, `${route.channel} to `),
      el("span", {}, to(route)),
    ),
    el("span", { class: "how" }, how(route)),
    error ? el("span", { class: "why hint" }, reasonText(error).title) : null,
  );
}

function how({ attempts, next_attempt_at: due }) {
  const made = attempts ? count(attempts, "attempt") : "";
  return due ? [made && `${made}, `, "due ", countdown(due)] : made;
}
