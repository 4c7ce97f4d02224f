// The provider's ledger and the database, side by side.

import { el, show } from "/_console/static/dom.js";
import { count } from "/_console/static/words.js";
import { watch } from "../state.js";

export function agreement(container) {
  watch((state) => state?.agreement && draw(container, state.agreement));
}

function draw(container, now) {
  const bad = !now.agree;
  const verdict = bad
    ? "They do not agree"
    : now.live
      ? `They agree; ${now.live} still to end`
      : "They agree";
  show(
    container,
    el("p", { class: `verdict ${bad ? "bad" : "good"}`, id: "verdict" }, verdict),
    el("div", { class: "sides" }, ledger(now), database(now)),
    now.sent_twice ? twice(now) : null,
    bad ? el("ul", { class: "wrong" }, now.wrong.map((line) => el("li", {}, line))) : null,
  );
}

function ledger(now) {
  return side("Routes in the provider’s ledger", [
    ["accepted", now.accepted_routes, "accepted-routes"],
    ["sent again", now.sent_twice, "sent-twice"],
  ]);
}

function database(now) {
  return side("Routes in the database", [
    ["published", now.published, "published"],
    ["still to end", now.live, "live"],
  ]);
}

function side(title, numbers) {
  return el(
    "div",
    { class: "side" },
    el("h3", {}, title),
    el(
      "dl",
      { class: "numbers" },
      numbers.map(([name, number, id]) =>
        el(
          "div",
          { class: number ? "" : "zero" },
          el("dt", {}, name),
          el("dd", { id: `number-${id}` }, String(number)),
        ),
      ),
    ),
  );
}

function twice(now) {
  return el(
    "p",
    { class: "hint" },
    `${count(now.sent_twice, "message was", "messages were")} accepted again: a reply was lost, or ` +
      "a worker killed, between the provider's acceptance and the commit. Nothing was lost by it; " +
      "this is what at least once means.",
  );
}
