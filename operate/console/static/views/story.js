// One notification: what happened to each of its routes, in words.

import { ask, withQuery } from "../api.js";
import { el, facts, nothing, show } from "../dom.js";
import { chip, countdown, duration, moment, REASONS } from "../words.js";

// Each event of the history: its tone, its words, and what is said below them.
const EVENTS = {
  submitted: () => ["plain", "Submitted"],
  published: (one) => ["good", `Published on attempt ${one.attempt}`, accepted(one)],
  failed: (one) => ["wait", `Attempt ${one.attempt} failed`, one.detail],
  in_doubt: (one) => ["doubt", `Attempt ${one.attempt} may have been accepted`, one.detail],
  lapsed: () => ["doubt", "A worker died with it, or was too late to write down what it sent"],
  dead_lettered: (one) => ["bad", `Dead letter: ${one.reason}`, one.detail, REASONS[one.reason]],
  skipped: (one) => ["plain", "Skipped", one.detail ?? one.reason],
  cancelled: () => ["plain", "Cancelled"],
  expanded: () => ["plain", "Its time came: planned for the devices that the user had then"],
  settled: (one) => ["good", "The provider told that it had accepted it", accepted(one)],
  rejected: (one) => ["bad", "The provider told that it did not send it", one.detail],
  redriven: () => ["plain", "Redriven, with a fresh set of attempts"],
  released: () => ["plain", "Released: its address is no longer suppressed"],
  erased: () => ["plain", "The person was erased from it"],
  delivered: () => ["good", "Delivered to the recipient’s server"],
  delayed: (one) => ["wait", "The recipient’s server delays it", one.detail ?? one.reason],
  bounced: (one) => ["bad", "Bounced", [one.reason, one.detail].filter(Boolean).join(": ")],
  complained: () => ["bad", "The recipient complained"],
};

export function story(container, { id, query }) {
  const title = el("h2", { tabindex: "-1" }, "Notification");
  const body = el("div", {});
  container.append(el("p", { class: "back" }, el("a", { href: "#find" }, "← Find")), title, body);
  load();

  async function load() {
    try {
      const path = `/notifications/${encodeURIComponent(id)}`;
      const one = await ask("GET", withQuery(path, Object.fromEntries(query)));
      title.textContent = one.kind;
      show(body, about(one), one.routes.map((route) => timeline(one, route)));
    } catch (refusal) {
      show(body, refusal.status === 404 ? nothing(refusal.words) : refused(refusal));
    }
  }
}

function refused(refusal) {
  return el("p", { class: "refusal" }, refusal.words);
}

/** Return where a route goes. */
export function to(route) {
  if (route.address) return route.address;
  if (!route.user_id) return "nobody";
  const device = route.device_session_id;
  return device ? `${route.user_id} on ${device}` : route.user_id;
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

function timeline(notification, route) {
  return el(
    "section",
    { class: "story", "data-status": route.status },
    el("h3", {}, chip(route.status), ` ${route.channel} to ${to(route)}`),
    el(
      "ol",
      { class: "timeline" },
      [...(route.history ?? []).map(past), ...now(route)].map((one) =>
        step(one, notification.created_at),
      ),
    ),
    // The API tells the history of a notification to very many for one person at a time.
    route.history ? null : el("p", { class: "hint" }, "Find a person to see the history."),
    el("p", { class: "hint" }, "Route ", el("code", {}, route.route_id)),
  );
}

function past(one) {
  return { at: one.at, said: EVENTS[one.event]?.(one) ?? ["plain", one.event, one.detail] };
}

function accepted(one) {
  return one.message_id && `Message ${one.message_id}`;
}

function now(route) {
  if (!route.next_attempt_at) return [];
  return [{ said: ["wait", "Waits for dispatch"], until: route.next_attempt_at }];
}

function step({ at, said: [tone, title, detail, about], until }, began) {
  const offset = at && (new Date(at) - new Date(began)) / 1000;
  return el(
    "li",
    { class: `step ${tone}` },
    el("span", { class: "when" }, at ? `+${duration(Math.max(0, offset))}` : "now"),
    el(
      "div",
      { class: "what" },
      el("strong", {}, title),
      about ? el("p", {}, about) : null,
      detail ? el("p", { class: "error" }, detail) : null,
      until ? el("p", {}, "Due ", countdown(until)) : null,
    ),
  );
}
