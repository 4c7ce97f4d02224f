// The messages of a channel that the provider accepted, as their recipients would see them.

import { ask } from "/_console/static/api.js";
import { el, facts, nothing, show } from "/_console/static/dom.js";
import { phone } from "/_console/static/phone.js";
import { label, moment } from "/_console/static/words.js";
import { watch } from "../state.js";

const TOPIC = "client event";

/** Return the view of a channel's messages. */
export const messages = (channel) => (container, { id }) => inbox(container, id, channel);

function inbox(container, id, channel) {
  const title = `${label(channel)} messages`;
  const list = el("ol", { class: "inbox", "aria-label": `${title}, newest first` });
  const detail = el("div", { class: "message" });
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, title),
    el("div", { class: "split" }, list, detail),
  );
  let wanted = id;
  if (wanted) open(detail, wanted);
  const leave = watch((state) => {
    if (!state) return;
    const known = state.messages.filter((one) => one.channel === channel);
    if (!wanted && known.length) {
      // A topic's client event is no notification that a phone shows.
      wanted = (known.find((one) => one.body !== TOPIC) ?? known[0]).message_id;
      open(detail, wanted);
    }
    show(
      list,
      known.length
        ? known.map((one) => entry(one, wanted))
        : el("li", {}, nothing(`No ${channel} message was accepted yet.`)),
    );
  });
  return { leave };
}

function entry(one, wanted) {
  const attributes = {
    href: `#messages-${one.channel}/${encodeURIComponent(one.message_id)}`,
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

async function open(container, id) {
  try {
    const one = await ask("GET", `/_local/messages/${encodeURIComponent(id)}`);
    show(container, ...("envelope" in one ? alert(one) : mail(one)));
  } catch (error) {
    show(container, nothing(error.message));
  }
}

function mail(one) {
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

function alert(one) {
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
