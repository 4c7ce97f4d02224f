// Redrive all that match a filter: counted first, confirmed, at a rate and to a limit.

import { ask } from "../api.js";
import { confirmed } from "../dialog.js";
import { el, show } from "../dom.js";
import { count, instant, moment, whole } from "../words.js";

const LIMIT = 1000;
const RATE = 10;

/** Make the panel; `done` is called after a redrive. */
export function bulk(filter, done) {
  const chosen = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
  const limit = el("input", { type: "number", name: "limit", min: 1, max: 10_000, value: LIMIT });
  const rate = el("input", { type: "number", name: "rate", min: 0.1, step: "any", value: RATE });
  const until = el("input", { type: "datetime-local", name: "until", step: "1" });
  const answer = el("div", { class: "answer", role: "status" });
  const past = el("div", {});
  const terms = () => ({
    limit: limit.valueAsNumber,
    per_second: rate.valueAsNumber,
    ...(until.value && { expires_at: instant(until.value) }),
  });

  async function tried(work) {
    try {
      await work();
    } catch (refusal) {
      show(answer, el("p", { class: "bad" }, refusal.words));
    }
  }

  const preview = () =>
    tried(async () => {
      const { matched } = await post({ filter: chosen, dry_run: true, ...terms() });
      show(answer, el("p", { class: "good" }, `${count(matched, "dead letter")} would be redriven.`));
    });

  const redrive = () =>
    tried(async () => {
      const { matched } = await post({ filter: chosen, dry_run: true, ...terms() });
      const text = `${count(matched, "dead letter")}, ${words(chosen)}, at most ${limit.value} of them, ${rate.value} a second.`;
      if (!(await confirmed("Redrive all that match", { text, act: `Redrive ${matched}` }))) return;
      const said = await post({ filter: chosen, dry_run: false, ...terms() });
      show(answer, told(said));
      done();
      audit();
    });

  const audit = async () => show(past, await redrives());
  const panel = el(
    "details",
    { class: "panel", id: "bulk" },
    el("summary", {}, el("h2", {}, "Redrive all that match")),
    el("p", { class: "hint" }, `That is: ${words(chosen)}. The filter above says which.`),
    el(
      "div",
      { class: "filter" },
      el("label", {}, "At most", limit),
      el("label", {}, "A second", rate),
      el("label", {}, "Until, for those that expired", until),
      el("button", { type: "button", onclick: preview }, "Count"),
      el("button", { type: "button", class: "primary", onclick: redrive }, "Redrive …"),
    ),
    answer,
    past,
  );
  panel.addEventListener("toggle", () => panel.open && audit());
  return panel;
}

function post(body) {
  return ask("POST", "/dead-letters/redrive", body);
}

function words(filter) {
  const parts = Object.entries(filter).map(([name, value]) => `${name} ${value}`);
  return parts.length ? parts.join(", ") : "every open dead letter";
}

function told(said) {
  const refused = said.refused ? ` ${count(said.refused, "was", "were")} refused.` : "";
  const left = said.matched - said.redriven - said.refused;
  const more = left > 0 ? ` ${whole(left)} are left for another time.` : "";
  return el("p", { class: "good" }, `${count(said.redriven, "dead letter")} redriven.${refused}${more}`);
}

/** List who redrove what, as the audit has it. */
async function redrives() {
  try {
    const page = await ask("GET", "/redrives?limit=5");
    if (!page.redrives.length) return el("p", { class: "hint" }, "Nobody has redriven by filter yet.");
    return [el("h3", {}, "Of late"), el("ul", {}, page.redrives.map(entry))];
  } catch (refusal) {
    return el("p", { class: "refusal" }, refusal.words);
  }
}

function entry(one) {
  const said = ` ${one.who}: ${one.redriven} of ${one.matched}, ${words(one.filter)}`;
  return el("li", { class: "hint" }, moment(one.at), said);
}
