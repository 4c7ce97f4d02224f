// One notification: the timeline of each of its routes.

import { el, facts, nothing, show } from "/_console/static/dom.js";
import { follow } from "/_console/static/live.js";
import { chip, countdown, duration, moment, target } from "/_console/static/words.js";

export function story(container, id) {
  const title = el("h2", { tabindex: "-1" }, "Notification");
  const body = el("div", {});
  container.append(el("p", { class: "back" }, el("a", { href: "#routes" }, "← All routes")));
  container.append(title, body);
  const poll = follow(
    `/_local/notifications/${encodeURIComponent(id)}`,
    (answer) => {
      if (!answer) return;
      title.textContent = answer.kind;
      show(body, about(answer), answer.routes.map((route) => timeline(answer, route)));
    },
    // While PostgreSQL is down the story stays as it was.
    (detail) => body.children.length || show(body, nothing(detail ?? "The stack is stopped.")),
  );
  return { show() {}, leave: poll.stop };
}

function about(one) {
  return el(
    "div",
    { class: "about" },
    facts([
      ["Key", one.idempotency_key],
      ["Id", el("code", {}, one.notification_id)],
      ["Posted", moment(one.created_at)],
      ["Deliver at", one.deliver_at && moment(one.deliver_at)],
      ["Trace", one.traceparent && el("code", {}, one.traceparent)],
    ]),
    el(
      "details",
      { "data-key": "payload" },
      el("summary", {}, "Payload"),
      el("pre", {}, one.payload === null ? "Removed" : pretty(one.payload)),
    ),
  );
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function timeline(notification, route) {
  return el(
    "section",
    { class: "story", "data-status": route.status },
    el("h3", {}, chip(route.status), ` ${route.channel} to ${target(route)}`),
    el(
      "ol",
      { class: "timeline" },
      route.story.map((event) => step(event, notification.created_at, route)),
    ),
    el("p", { class: "hint" }, "Route ", el("code", {}, route.route_id)),
  );
}

function step(event, began, route) {
  const offset = event.at && (new Date(event.at) - new Date(began)) / 1000;
  return el(
    "li",
    { class: `step ${event.tone}` },
    el("span", { class: "when" }, event.at ? `+${duration(Math.max(0, offset))}` : "now"),
    el(
      "div",
      { class: "what" },
      el("strong", {}, event.title),
      detail(event),
      event.error ? el("p", { class: "error" }, event.error) : null,
      event.wait !== undefined && event.wait !== null
        ? el("p", { class: "wait" }, `waits ${duration(event.wait)}`)
        : null,
      event.message_id ? message(event, route) : null,
    ),
  );
}

function detail(event) {
  if (event.until) return el("p", {}, `${event.detail} `, countdown(event.until));
  return event.detail ? el("p", {}, event.detail) : null;
}

function message(event, route) {
  const href = `#messages-${route.channel}/${encodeURIComponent(event.message_id)}`;
  return el("p", {}, el("a", { href, "data-key": event.title + event.message_id }, "See the message"));
}
