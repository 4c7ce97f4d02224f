// What the provider got: emails as they look, and pushes as a phone would show them.

import { el, facts, nothing, show } from "/_console/static/dom.js";
import { read } from "/_console/static/live.js";
import { phone } from "/_console/static/phone.js";
import { moment } from "/_console/static/words.js";

const TOPIC = "client event";

export const emails = (container, id) =>
  messages(container, id, {
    name: "emails",
    title: "Emails",
    service: "ses",
    none: "No email was accepted yet.",
    detail: email,
  });

export const pushes = (container, id) =>
  messages(container, id, {
    name: "pushes",
    title: "Push notifications",
    service: "sns",
    none: "No push was accepted yet.",
    detail: push,
  });

function messages(container, id, kind) {
  const list = el("ol", { class: "inbox", "aria-label": `${kind.title}, newest first` });
  const detail = el("div", { class: "message" });
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, kind.title),
    el("div", { class: "split" }, list, detail),
  );
  let wanted = id;
  if (wanted) open(detail, wanted, kind);
  return {
    show(state) {
      const known = (state.messages ?? []).filter((one) => one.service === kind.service);
      if (!wanted && known.length) {
        // A topic's client event is no notification that a phone shows.
        wanted = (known.find((one) => one.body !== TOPIC) ?? known[0]).message_id;
        open(detail, wanted, kind);
      }
      show(
        list,
        known.length
          ? known.map((one) => entry(one, kind, wanted))
          : el("li", {}, nothing(kind.none)),
      );
    },
  };
}

function entry(one, kind, wanted) {
  const attributes = {
    href: `#${kind.name}/${encodeURIComponent(one.message_id)}`,
    "data-key": one.message_id,
    "aria-current": one.message_id === wanted && "true",
  };
  return el(
    "li",
    {},
    el(
      "a",
      attributes,
      el("strong", {}, one.title),
      el("span", { class: "to" }, one.to),
      moment(one.at),
    ),
  );
}

async function open(container, id, kind) {
  try {
    const one = await read(`/_local/messages/${encodeURIComponent(id)}`);
    show(container, ...kind.detail(one));
  } catch (error) {
    show(container, nothing(error.message));
  }
}

function email(one) {
  const frame = el("iframe", {
    title: `The email "${one.subject}" as it looks`,
    src: `/_local/messages/${encodeURIComponent(one.message_id)}/html`,
    sandbox: "",
  });
  return [
    el("h3", {}, one.subject),
    facts([
      ["From", one.from],
      ["To", one.to],
      ["Reply to", one.reply_to],
      ["Accepted", moment(one.at)],
    ]),
    el(
      "div",
      { class: "bodies" },
      one.html ? el("figure", {}, el("figcaption", {}, "HTML"), frame) : null,
      one.text
        ? el("figure", {}, el("figcaption", {}, "Text"), el("pre", { tabindex: "0" }, one.text))
        : null,
    ),
    el("div", { class: "bodies" }, pairs("Headers", one.headers), pairs("Tags", one.tags)),
  ];
}

function pairs(title, values) {
  const entries = Object.entries(values);
  if (!entries.length) return null;
  const named = entries.map(([name, value]) => [name, el("code", {}, value)]);
  return el("div", {}, el("h4", {}, title), facts(named));
}

function push(one) {
  return [
    el("h3", { class: "unseen" }, one.title),
    one.platform ? phone(one.title, one.body, one.at) : null,
    facts([
      ["To", one.to],
      ["Accepted", moment(one.at)],
      ["Target", el("code", {}, one.target)],
      ["Group", one.group_id && el("code", {}, one.group_id)],
      ["Deduplication", one.deduplication_id && el("code", {}, one.deduplication_id)],
    ]),
    el(
      "div",
      {},
      el("h4", {}, one.platform ? `Envelope for ${one.platform}` : "Client event"),
      el("pre", { class: "envelope", tabindex: "0" }, one.envelope),
    ),
    pairs("Message attributes", one.attributes),
  ];
}
