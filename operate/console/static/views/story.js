// One notification: the events of each of its routes.

import { withQuery } from "../api.js";
import { el, facts, show } from "../dom.js";
import { follow } from "../live.js";
import { chip, countdown, duration, eventText, moment, to } from "../words.js";

const EVERY = 2000;

export function story(container, { id, query, back, has }) {
  const title = el("h2", { tabindex: "-1" }, "Notification");
  const trouble = el("div", { role: "status" });
  const body = el("div", {});
  container.append(el("p", { class: "back" }, back), title, trouble, body);
  const path = `/notifications/${encodeURIComponent(id)}`;
  const poll = follow(
    withQuery(path, Object.fromEntries(query)),
    (one) => {
      show(trouble);
      if (!one) return;
      title.textContent = one.kind;
      show(body, about(one), one.routes.map((route) => timeline(one, route, has)));
    },
    (words) => show(trouble, el("p", { class: "refusal" }, words)),
    EVERY,
  );
  return { leave: poll.stop };
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
    ]),
  );
}

function timeline(notification, route, has) {
  const history = route.history ?? [];
  const messages = `messages-${route.channel}`;
  const message = (id) => {
    const href = `#${messages}/${encodeURIComponent(id)}`;
    return has(messages) ? el("a", { href, "data-key": route.route_id + id }, id) : id;
  };
  return el(
    "section",
    { class: "story", "data-status": route.status },
    el("h3", {}, chip(route.status), ` ${route.channel} to ${to(route)}`),
    el(
      "ol",
      { class: "timeline" },
      history.map((one, place) => past(one, history[place + 1], notification.created_at, message)),
      route.next_attempt_at ? waiting(route) : null,
    ),
    // The API returns the history of a notification to very many for one person at a time.
    route.history ? null : el("p", { class: "hint" }, "Find a person to see the history."),
    el("p", { class: "hint" }, "Route ", el("code", {}, route.route_id)),
  );
}

function past(one, next, began, message) {
  const { tone, title, sentence } = eventText(one);
  const passed = (from, to) => duration(Math.max(0, (new Date(to) - new Date(from)) / 1000));
  return step(
    tone,
    `+${passed(began, one.at)}`,
    title,
    el("p", {}, sentence),
    one.detail && el("p", { class: "error" }, one.detail),
    one.message_id && el("p", {}, "Message ", message(one.message_id)),
    ["wait", "doubt"].includes(tone) && next ? el("p", { class: "wait" }, `waits ${passed(one.at, next.at)}`) : null,
  );
}

function waiting(route) {
  const due = el("p", {}, "Due ", countdown(route.next_attempt_at));
  return step("wait", "now", "Waits for dispatch", due);
}

function step(tone, when, title, ...more) {
  return el(
    "li",
    { class: `step ${tone}` },
    el("span", { class: "when" }, when),
    el("div", { class: "what" }, el("strong", {}, title), more),
  );
}
