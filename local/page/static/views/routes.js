// The routes as they move, by notification, newest first.

import { el, icon, nothing, show } from "/_console/static/dom.js";
import { chip, count, countdown, moment, target } from "/_console/static/words.js";

const MOST = 5;
const ENDS = { permanent: "refused for good", expired: "expired" };
const FLOW = [
  ["pending", "Pending"],
  ["retrying", "Retrying"],
  ["published", "Published"],
  ["dead_lettered", "Dead letters"],
  ["ended", "Skipped, cancelled"],
];

export function routes(container) {
  const title = el("h2", { class: "unseen", tabindex: "-1" }, "Routes");
  const flow = el("ol", { class: "flow", "aria-label": "Routes by status" });
  const list = el("ol", { class: "notifications", "aria-label": "Notifications, newest first" });
  container.append(title, flow, list);
  return {
    show(state) {
      show(flow, stages(state.agreement?.statuses ?? {}));
      const known = state.notifications ?? [];
      show(
        list,
        known.length
          ? known.map((one) => el("li", {}, notification(one)))
          : el("li", {}, nothing("Nothing was posted yet. Send an event.")),
      );
    },
  };
}

function stages(counted) {
  const statuses = { ...counted, ended: (counted.skipped ?? 0) + (counted.cancelled ?? 0) };
  return FLOW.map(([status, title]) =>
    el(
      "li",
      { class: `stage ${status} ${statuses[status] ? "" : "zero"}` },
      el("span", { class: "number" }, String(statuses[status] ?? 0)),
      el("span", {}, title),
    ),
  );
}

function notification(one) {
  const live = one.routes.filter((route) => route.next_attempt_at);
  // What still moves, or ended badly, is worth a line before what is done.
  const order = [...one.routes].sort((a, b) => weight(a) - weight(b));
  const href = `#notifications/${one.notification_id}`;
  const rest = one.routes.length - MOST;
  return el(
    "article",
    { class: live.length ? "notification card live" : "notification card", "data-kind": one.kind },
    el(
      "header",
      {},
      el("h3", {}, el("a", { href, "data-key": one.notification_id }, one.kind)),
      el("span", { class: "key" }, one.idempotency_key),
      moment(one.created_at),
    ),
    bar(one.routes),
    el("ul", { class: "routes" }, order.slice(0, MOST).map((route) => line(route))),
    rest > 0 ? el("p", { class: "hint" }, `and ${count(rest, "more route")}`) : null,
  );
}

function weight(route) {
  return { retrying: 0, dead_lettered: 1, pending: 2 }[route.status] ?? 3;
}

function bar(all) {
  if (all.length < 3) return null;
  const counts = new Map();
  for (const route of all) counts.set(route.status, (counts.get(route.status) ?? 0) + 1);
  const text = [...counts].map(([status, number]) => `${number} ${status.replace("_", " ")}`);
  return el(
    "div",
    { class: "bar", role: "img", "aria-label": text.join(", ") },
    all.toSorted((a, b) => weight(b) - weight(a)).map((route) => el("i", { class: route.status })),
  );
}

function line(route) {
  return el(
    "li",
    { class: "route" },
    chip(route.status),
    el(
      "span",
      { class: "to" },
      icon(route.channel),
      el("span", { class: "unseen" }, `${route.channel} to `),
      el("span", {}, target(route)),
    ),
    el("span", { class: "how" }, how(route)),
  );
}

function how(route) {
  const attempts = count(route.attempts, "attempt");
  if (route.status === "dead_lettered") return ENDS[route.reason] ?? `all ${attempts} failed`;
  if (route.claimed) return `attempt ${route.attempts}, held by a worker`;
  if (route.status === "retrying") return [`${attempts}, again `, countdown(route.next_attempt_at)];
  if (route.status === "pending") return ["due ", countdown(route.next_attempt_at)];
  if (route.status === "published") return attempts;
  return route.last_error ?? "";
}
