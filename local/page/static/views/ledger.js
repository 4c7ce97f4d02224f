// Each request to send that the provider got, and what became of it.

import { el, nothing, show } from "/_console/static/dom.js";
import { moment, short } from "/_console/static/words.js";
import { watch } from "../state.js";

const WORDS = {
  accepted: ["good", "accepted"],
  deduplicated: ["good", "deduplicated"],
  closed: ["bad", "closed before accepting"],
  closed_after_accepting: ["doubt", "accepted, reply lost"],
  hung_up: ["bad", "stalled; the caller hung up"],
};

export function ledger(container) {
  const head = ["#", "Time", "Operation", "Target", "Outcome", "Message"];
  const body = el("tbody", {});
  const table = el(
    "table",
    { class: "ledger" },
    el("caption", { class: "unseen" }, "Requests to send, newest first"),
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
    body,
  );
  const empty = el("div", {});
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, "The provider's ledger"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ledger" }, table),
    empty,
  );
  const leave = watch((state) => {
    if (!state) return;
    const { attempts } = state;
    table.hidden = !attempts.length;
    show(empty, attempts.length ? null : nothing("The provider got no request yet."));
    show(body, attempts.map(row));
  });
  return { leave };
}

function row(one) {
  const [tone, words] = WORDS[one.outcome] ?? ["bad", one.outcome];
  const target = one.target.startsWith("arn:") ? one.target.split(":").at(-1) : one.target;
  return el(
    "tr",
    {},
    el("td", { class: "sequence" }, String(one.sequence)),
    el("td", {}, moment(one.at)),
    el("td", {}, `${one.service.toUpperCase()} ${one.operation}`),
    el("td", { class: "target", title: one.target }, target),
    el("td", { class: `outcome ${tone}` }, words),
    el("td", {}, one.message_id ? message(one) : ""),
  );
}

function message(one) {
  const href = `#messages-${one.channel}/${encodeURIComponent(one.message_id)}`;
  const key = `${one.sequence}-${one.message_id}`;
  return el("a", { href, "data-key": key, title: one.message_id }, short(one.message_id));
}
