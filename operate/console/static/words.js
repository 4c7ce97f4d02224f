// How things are called and written.

import { el } from "./dom.js";

// `dovecote why` reads the same texts.
const TEXTS = await (await fetch("/_console/static/texts.json")).json();
export const REASONS = TEXTS.dead_letter_reasons;

/** Return the text of a dead letter's or skip's reason; another reason is its own text. */
export function reasonText(reason) {
  const [name, detail = ""] = reason.split(": ");
  const text = { ...REASONS, ...TEXTS.skip_reasons }[name] ?? { title: reason, sentence: "" };
  return { ...text, sentence: text.sentence.replace("{detail}", detail) };
}

/** Return the text of an event of a route's history: its tone, title and sentence. */
export function eventText({ event, attempt, reason }) {
  const text = TEXTS.events[event] ?? { tone: "plain", title: event, sentence: "" };
  const title = text.title.replace("{attempt}", attempt);
  if (!reason) return { ...text, title };
  const why = reasonText(reason);
  return { ...text, title: `${title}: ${why.title}`, sentence: why.sentence || text.sentence };
}

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
  const { title, sentence } = TEXTS.statuses[status];
  return el("span", { class: `chip ${status}`, title: sentence }, title);
}

/** Write the name of a channel as a title. */
export function label(channel) {
  return channel.charAt(0).toUpperCase() + channel.slice(1);
}

/** Return where a route goes. */
export function to(route) {
  if (route.address) return route.address;
  if (!route.user_id) return "no address and no user";
  const device = route.device_session_id;
  return device ? `${route.user_id} on ${device}` : route.user_id;
}

/** Return 8 random characters of an id: UUIDs of version 7 and ids of SES begin with the time. */
export function short(id) {
  return id.replace(/-0+$/, "").slice(-8);
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
