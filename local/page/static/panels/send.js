// The form: an event of events/, sent to the real API.

import { ask } from "/_console/static/api.js";
import { el, show } from "/_console/static/dom.js";
import { count } from "/_console/static/words.js";
import { current, refresh } from "../state.js";

const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";
const LATER = 15_000;
export const SAMPLES = ask("GET", "/_local/samples");

const sent = new Map(); // the last answer by the sample's name
let last = null; // the last notification's id

export function freshKey() {
  return `page-${crypto.randomUUID().slice(0, 8)}`;
}

/** Send a sample, as changed, and return its status and document. */
export async function post(sample, { key = freshKey(), body = sample.body, id = last }) {
  if (sample.ordered) await fetch(`/_local/samples/${sample.name}/order`, { method: "POST" });
  const headers = {};
  const options = { method: sample.method, headers };
  if (sample.method === "POST") {
    headers["Content-Type"] = "application/json";
    if (sample.traceparent) headers.traceparent = sample.traceparent;
    options.body = dated(body, key);
    if (!JSON.stringify(parsed(body)).includes('"idempotency_key"')) {
      headers["Idempotency-Key"] = key;
    }
  } else if (body) options.body = body;
  const answer = await fetch(sample.path.replace(PLACEHOLDER, id ?? PLACEHOLDER), options);
  const text = await answer.text();
  const document = parsed(text);
  if (sample.method === "POST" && document.notification_id) {
    last = document.notification_id;
    sent.set(sample.name, key);
  }
  const replayed = answer.headers.get("Idempotent-Replayed") === "true";
  return { status: answer.status, document, replayed };
}

function parsed(text) {
  try {
    return JSON.parse(text || "{}") ?? {};
  } catch {
    return {};
  }
}

/** Put the key into a body that has one, and what is for later a little later than now. */
function dated(text, key) {
  const body = parsed(text);
  if (body.idempotency_key === undefined && body.deliver_at === undefined) return text;
  if (body.idempotency_key !== undefined) body.idempotency_key = key;
  if (body.deliver_at !== undefined) {
    body.deliver_at = new Date(Date.now() + LATER).toISOString();
  }
  return JSON.stringify(body);
}

export async function send(form, answer) {
  const { sample: select, key, copies, body } = form.elements;
  const samples = await SAMPLES;
  const chosen = () => samples.find((one) => one.name === select.value);

  function choose() {
    const one = chosen();
    form.querySelector("#sample-about").textContent = sentence(one);
    const posts = one.method === "POST";
    key.disabled = copies.disabled = !posts;
    key.value = posts ? keyOf(one) : "";
    body.value = one.body ? JSON.stringify(JSON.parse(one.body), null, 2) : "";
    body.disabled = !one.body;
  }

  select.append(
    group("Notifications", samples.filter((one) => one.method === "POST")),
    group("Other requests", samples.filter((one) => one.method !== "POST")),
  );
  select.value = "both.json";
  select.addEventListener("change", choose);
  choose();

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const one = chosen();
    const id = last ?? current()?.newest?.[0]?.[0];
    const times = one.method === "POST" ? Math.min(50, Math.max(1, copies.valueAsNumber || 1)) : 1;
    for (let number = 1; number <= times; number += 1) {
      const own = times > 1 ? `${key.value}-${number}` : key.value;
      try {
        const result = await post(one, { key: own, body: body.value, id });
        show(answer, told(one, result, number, times));
      } catch {
        show(answer, el("p", { class: "bad" }, "The stack does not answer."));
        return;
      }
    }
    if (one.method === "POST") key.value = keyOf(one);
    refresh();
  });
}

function keyOf(one) {
  // A replay is the same key again: the last one that its first request was sent with.
  return (one.name === "replay.json" && sent.get("email.json")) || freshKey();
}

function sentence(one) {
  const about = one.about ? one.about[0].toUpperCase() + one.about.slice(1) : one.title;
  return `${about}. ${one.method} ${one.path.replace(PLACEHOLDER, "…")}`;
}

function group(label, samples) {
  const options = samples.map((one) => el("option", { value: one.name }, one.title));
  return el("optgroup", { label }, options);
}

function told(one, { status, document, replayed }, number, times) {
  const of = times > 1 ? ` (${number} of ${times})` : "";
  const id = document.notification_id;
  if (status >= 400) return problem(status, document);
  const what = [
    el("strong", {}, `${status}`),
    replayed ? " Replayed: stored before." : status === 202 ? ` Stored${of}.` : " Done.",
  ];
  if (document.routes) what.push(` ${count(document.routes.length, "route")}. `);
  if (document.results) {
    const stored = document.results.filter((result) => result.status === 202).length;
    what.push(` ${stored} of ${count(document.results.length, "notification")} stored.`);
  }
  if (document.cancelled !== undefined) what.push(` ${document.cancelled} cancelled.`);
  if (id) what.push(el("a", { href: `#notifications/${id}` }, "Its story"));
  return el("p", { class: "good" }, what);
}

function problem(status, document) {
  const faults = (document.errors ?? []).map((fault) =>
    el("li", {}, el("code", {}, fault.pointer || "/"), ` ${fault.detail}`),
  );
  return el(
    "div",
    { class: "bad" },
    el("p", {}, el("strong", {}, String(status)), ` ${document.detail ?? document.title ?? ""}`),
    faults.length ? el("ul", {}, faults) : null,
  );
}
