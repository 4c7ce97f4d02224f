// The newest notifications as their routes move, and what is paused.

import { el, nothing, show } from "/_console/static/dom.js";
import { follow } from "/_console/static/live.js";
import { entry } from "/_console/static/views/notification.js";
import { pause } from "/_console/static/views/overview.js";
import { watch } from "../state.js";

const PAUSES_EVERY = 2000;
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
  const paused = el("div", { class: "pauses" });
  const list = el("ol", { class: "notifications", "aria-label": "Notifications, newest first" });
  container.append(title, flow, paused, list);
  const unwatch = watch((state) => {
    if (!state) return;
    show(flow, stages(state.agreement?.statuses ?? {}));
    const entries = (state.notifications ?? []).map((one) => el("li", {}, entry(one, address(one))));
    show(list, entries.length ? entries : el("li", {}, nothing("Send an event to begin.")));
  });
  const pauses = (one) => one && show(paused, one.paused.map((row) => pause(row, one.counted_to)));
  const poll = follow("/overview", pauses, () => {}, PAUSES_EVERY);
  const leave = () => {
    unwatch();
    poll.stop();
  };
  return { leave };
}

function address(one) {
  return `#notifications/${one.notification_id}`;
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
