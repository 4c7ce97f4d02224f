// What will not be tried again, and why.

import { el, icon, nothing, show } from "/_console/static/dom.js";
import { count, moment, REASONS, target } from "/_console/static/words.js";

export function deadLetters(container) {
  const list = el("ol", { class: "letters", "aria-label": "Dead letters, newest first" });
  container.append(el("h2", { class: "unseen", tabindex: "-1" }, "Dead letters"), list);
  return {
    show(state) {
      const letters = state.dead_letters ?? [];
      show(
        list,
        letters.length
          ? letters.map(letter)
          : el("li", {}, nothing("No dead letters. The event “Dead letter” makes one.")),
      );
    },
  };
}

function letter(one) {
  const href = `#notifications/${one.notification_id}`;
  return el(
    "li",
    { class: "letter" },
    el(
      "header",
      {},
      el("h3", {}, el("a", { href, "data-key": one.route_id }, one.kind)),
      el("span", { class: "chip dead_lettered" }, one.reason),
      moment(one.dead_lettered_at),
    ),
    el("p", { class: "to" }, icon(one.channel), ` ${one.channel} to ${target(one)}`),
    el("p", {}, `${REASONS[one.reason] ?? ""} ${count(one.attempts, "attempt")}.`),
    one.last_error ? el("p", { class: "error" }, one.last_error) : null,
  );
}
