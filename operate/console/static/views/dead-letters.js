// Dead letters: filtered, previewed, redriven one by one or all that match.

import { ask, withQuery } from "../api.js";
import { confirmed } from "../dialog.js";
import { el, icon, nothing, show } from "../dom.js";
import { count, instant, local, moment, REASONS, reasonText } from "../words.js";
import { bulk } from "./redrive.js";

const FILTERS = ["kind", "channel", "reason", "from", "to"];
const MOMENTS = new Set(["from", "to"]);

export function deadLetters(container, { query, channels }) {
  const list = el("ol", { class: "letters", "aria-label": "Dead letters, newest first" });
  const more = el("div", { class: "more", role: "status" });
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, "Dead letters"),
    form(filter, channels),
    bulk(filter, () => load()),
    list,
    more,
  );

  async function load(after = "") {
    try {
      const page = await ask("GET", withQuery("/dead-letters", { ...filter, after }));
      if (!after) list.replaceChildren();
      list.append(...page.dead_letters.map(letter));
      if (!list.children.length) list.append(el("li", {}, nothing("No dead letter matches.")));
      show(more, page.next && button("More", () => load(page.next)));
    } catch (refusal) {
      show(more, el("p", { class: "refusal" }, refusal.words));
    }
  }

  load();
}

function button(text, onclick) {
  return el("button", { type: "button", onclick }, text);
}

function form(filter, channels) {
  const kinds = el("datalist", { id: "kinds" });
  const made = el(
    "form",
    { class: "filter card", id: "filter" },
    field("Kind", el("input", { name: "kind", list: "kinds", autocomplete: "off" })),
    field("Channel", choice("channel", channels.map((name) => [name, name]))),
    field("Reason", choice("reason", titles())),
    field("From", el("input", { name: "from", type: "datetime-local", step: "1" })),
    field("To", el("input", { name: "to", type: "datetime-local", step: "1" })),
    el("button", { class: "primary", type: "submit" }, "Show"),
    kinds,
  );
  for (const name of FILTERS) {
    const value = filter[name];
    made.elements[name].value = value && MOMENTS.has(name) ? local(value) : value;
  }
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = withQuery("dead-letters", given(made.elements));
  });
  ask("GET", "/_console/templates").then((known) => {
    kinds.append(...known.map((one) => el("option", { value: one.kind })));
  });
  return made;
}

function given(elements) {
  return Object.fromEntries(
    FILTERS.map((name) => {
      const { value } = elements[name];
      return [name, value && MOMENTS.has(name) ? instant(value) : value.trim()];
    }),
  );
}

function field(name, control) {
  return el("label", {}, name, control);
}

function choice(name, values) {
  const options = values.map(([value, title]) => el("option", { value }, title));
  return el("select", { name }, el("option", { value: "" }, "any"), options);
}

function titles() {
  return Object.entries(REASONS).map(([reason, { title }]) => [reason, title]);
}

function letter(one) {
  const answer = el("p", { class: "answer", role: "status" });
  const press = el("button", { type: "button", onclick: () => redrive(one, press, answer) }, "Redrive");
  press.setAttribute("aria-label", `Redrive this ${one.kind}`);
  return el(
    "li",
    { class: "letter", "data-reason": one.reason, "data-route": one.route_id },
    el(
      "header",
      {},
      el("h3", {}, el("a", { href: `#notifications/${one.notification_id}` }, one.kind)),
      el("span", { class: "chip dead_lettered" }, reasonText(one.reason).title),
      moment(one.dead_lettered_at),
    ),
    el("p", { class: "to" }, icon(one.channel), said(one)),
    one.error ? el("p", { class: "error" }, one.error) : null,
    el("div", { class: "act" }, press, answer),
  );
}

function said(one) {
  return ` ${one.channel}, ${count(one.attempts, "attempt")}. ${reasonText(one.reason).sentence}`;
}

async function redrive(one, press, answer, body = {}) {
  press.disabled = true;
  try {
    await ask("POST", `/dead-letters/${one.route_id}/redrive`, body);
    show(answer, el("span", { class: "good" }, "Redriven: it is pending again."));
  } catch (refusal) {
    press.disabled = false;
    if (refusal.isOf("/expires_at") && !body.expires_at) await extend(one, press, answer);
    else show(answer, el("span", { class: "bad" }, refusal.words));
  }
}

/** Ask for the time until which an expired route may be sent after all. */
async function extend(one, press, answer) {
  const said = await confirmed("It has expired", {
    text: "Its kind's time to live is over. Until when may it be sent after all?",
    act: "Redrive",
    until: true,
  });
  if (said) await redrive(one, press, answer, { expires_at: said.until });
}
