// How things are called and written.

import { el } from "./dom.js";

export const STATUSES = {
  pending: "pending",
  retrying: "retrying",
  published: "published",
  dead_lettered: "dead letter",
  skipped: "skipped",
  cancelled: "cancelled",
};

export const REASONS = {
  attempts: "All its attempts were used up.",
  permanent: "The provider would refuse it again, however often it is tried.",
  ambiguous: "It may have been accepted: an answer was lost, or a worker died.",
  expired: "Its time to live was over before it could be delivered.",
};

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Write a moment as the time of day, with the date of another day. */
export function moment(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  const attributes = { datetime: text, title: DAY.format(at) };
  return el("time", attributes, (today ? CLOCK : DAY).format(at));
}

/** Write seconds as people say them. */
export function duration(seconds) {
  if (seconds < 0.001) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Write how long it is until a moment; it counts down by itself. */
export function countdown(text) {
  const made = el("span", { "data-due": text, class: "due" });
  tick(made);
  return made;
}

function tick(one) {
  const left = (new Date(one.dataset.due) - Date.now()) / 1000;
  one.textContent = left > 0 ? `in ${duration(Math.max(left, 0.1))}` : "now";
}

setInterval(() => document.querySelectorAll("[data-due]").forEach(tick), 500);

/** Write a count with its noun. */
export function count(number, one, many = `${one}s`) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

export function chip(status) {
  return el("span", { class: `chip ${status}` }, STATUSES[status] ?? status);
}

/** Write the name of a channel as a title. */
export function label(channel) {
  return channel.charAt(0).toUpperCase() + channel.slice(1);
}

/** Return where a route goes. */
export function target(route) {
  if (route.target === "address") return route.address ?? "no address";
  if (route.target === "topic") return `${route.user_id} by the topic`;
  return `${route.user_id} on ${route.device_session_id ?? "no device"}`;
}

/** Shorten an id; the whole of it is the title. */
export function short(id) {
  return el("code", { title: id }, id.slice(0, 8));
}

/** Write a moment that a control of the browser's has, in the time of this place, as RFC 3339. */
export function instant(value) {
  return new Date(value).toISOString();
}

/** Write a moment as such a control takes it. */
export function local(moment) {
  const at = new Date(moment);
  return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

const WHOLE = new Intl.NumberFormat("en");

/** Write a number so that thousands can be told apart. */
export function whole(number) {
  return WHOLE.format(number);
}

/** Write a number that was counted no further than `most`. */
export function bounded(number, most) {
  return number >= most ? `${whole(most)}+` : whole(number);
}
