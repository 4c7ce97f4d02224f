// What is due, what is stuck, what pauses, and the last hour.

import { chart } from "../chart.js";
import { el, nothing, show } from "../dom.js";
import { follow } from "../live.js";
import { bounded, countdown, duration, label, reasonText } from "../words.js";

const EVERY = 5000;
const ROWS = [
  ["due", "due", "May be sent now, is being sent, or waits behind a pause"],
  ["in_flight", "in flight", "Held by a worker"],
  ["lapsed", "stuck", "A worker held it too long; another claims it"],
  ["in_doubt", "in doubt", "Perhaps accepted; its event is waited for"],
  ["live", "still to end", "Due, scheduled or waiting for another try"],
];

export function overview(container) {
  const body = el("div", { class: "overview" });
  const trouble = el("div", { role: "status" });
  container.append(el("h2", { class: "unseen", tabindex: "-1" }, "Overview"), trouble, body);
  const poll = follow(
    "/overview",
    (answer) => {
      show(trouble);
      if (answer) show(body, shown(answer));
    },
    // What was known stays, with the reason why it is no longer new.
    (words) => show(trouble, el("p", { class: "refusal" }, words)),
    EVERY,
  );
  return { leave: poll.stop };
}

function shown(one) {
  return [
    ...one.paused.map((row) => pause(row, one.counted_to)),
    el("div", { class: "channels" }, channelsOf(one.live).map((channel) => card(channel, one))),
    charts(one.minutes),
    letters(one),
  ];
}

function channelsOf(live) {
  return [...new Set(live.map((row) => row.channel))];
}

function charts(minutes) {
  return el(
    "div",
    { class: "charts" },
    chart("Published a minute", minutes, [["published", "published", "published"]]),
    chart("Failures a minute", minutes, [
      ["failed", "failed attempt", "failed attempts"],
      ["dead_lettered", "dead letter", "dead letters"],
    ]),
  );
}

/** Describe a paused resource; `most` is where the API stops to count. */
export function pause(one, most) {
  return el(
    "p",
    { class: "paused" },
    el("strong", {}, `${one.resource} is paused`),
    `, the ${ordinal(one.in_a_row)} time in a row; a probe is due `,
    countdown(one.until),
    one.error ? `. ${one.error.replace(/\.?$/, ".")}` : ".",
    one.waiting ? ` ${waiting(one, most)}` : " No route waits behind it.",
  );
}

function waiting(one, most) {
  const routes = one.waiting === 1 ? "1 route waits" : `${bounded(one.waiting, most)} routes wait`;
  return `${routes} behind it, the oldest for ${duration(one.oldest_waiting_seconds)}.`;
}

function ordinal(number) {
  const endings = { one: "st", two: "nd", few: "rd", other: "th" };
  return `${number}${endings[new Intl.PluralRules("en", { type: "ordinal" }).select(number)]}`;
}

function card(channel, one) {
  const own = one.live.filter((row) => row.channel === channel);
  const sum = (name) => own.reduce((total, row) => total + row[name], 0);
  const oldest = Math.max(...own.map((row) => row.oldest_due_seconds));
  const retrying = own.find((row) => row.status === "retrying")?.live ?? 0;
  return el(
    "section",
    { class: "channel card", "aria-labelledby": `channel-${channel}` },
    el("h3", { id: `channel-${channel}` }, label(channel)),
    el(
      "dl",
      { class: "numbers" },
      ROWS.map(([name, called, about]) => number(channel, name, called, about, sum(name), one)),
    ),
    el(
      "p",
      { class: "hint" },
      oldest ? `The oldest has been due for ${duration(oldest)}. ` : "Nothing waits. ",
      retrying ? `${bounded(retrying, one.counted_to)} failed before.` : null,
    ),
  );
}

function number(channel, name, called, about, value, one) {
  const wrong = name === "lapsed" && value ? "wrong" : "";
  return el(
    "div",
    { class: value ? wrong : "zero", title: about },
    el("dt", {}, called),
    el("dd", { id: `${channel}-${name}` }, bounded(value, one.counted_to)),
  );
}

function letters(one) {
  const all = one.dead_letters.reduce((total, row) => total + row.open, 0);
  const rows = one.dead_letters.map((row) => {
    const { title, sentence } = reasonText(row.reason);
    return el(
      "li",
      {},
      el("a", { href: `#dead-letters?reason=${row.reason}`, "data-key": row.reason }, title),
      ` ${bounded(row.open, one.counted_to)} `,
      el("span", { class: "hint" }, sentence),
    );
  });
  return el(
    "section",
    { class: "card open", "aria-labelledby": "open-letters" },
    el("h3", { id: "open-letters" }, `${bounded(all, one.counted_to)} open dead letter${all === 1 ? "" : "s"}`),
    rows.length ? el("ul", {}, rows) : nothing("There is no dead letter to redrive."),
  );
}
