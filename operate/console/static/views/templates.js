// What each kind of the checkout's catalog says, with a sample payload, in each locale.

import { ask } from "../api.js";
import { el, facts, nothing, show } from "../dom.js";
import { phone } from "../phone.js";

export function templates(container, { id, query }) {
  const list = el("ol", { class: "inbox", "aria-label": "Kinds" });
  const detail = el("div", { class: "message" });
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, "Templates"),
    el("div", { class: "split" }, list, detail),
  );
  load();

  async function load() {
    try {
      const kinds = await ask("GET", "/_console/templates");
      const chosen = kinds.find((one) => one.kind === id) ?? kinds[0];
      const locale = query.get("locale") ?? "";
      show(list, kinds.map((one) => entry(one, chosen)));
      const preview = await ask("GET", address(chosen.kind, locale));
      show(detail, shown(chosen, locale, preview));
    } catch (error) {
      show(detail, nothing(error.message));
    }
  }
}

function address(kind, locale) {
  const query = locale ? `?locale=${encodeURIComponent(locale)}` : "";
  return `/_console/templates/${encodeURIComponent(kind)}${query}`;
}

function entry(one, chosen) {
  const here = one === chosen && "true";
  return el(
    "li",
    {},
    el(
      "a",
      { href: `#templates/${one.kind}`, "data-key": one.kind, "aria-current": here },
      el("strong", {}, one.kind),
      el("span", { class: "to" }, [one.channels.join(", "), ...one.locales].join(" · ")),
    ),
  );
}

function shown(one, locale, preview) {
  const messages = Object.values(preview.messages);
  const pages = messages.filter((message) => message.html);
  const alerts = messages.filter((message) => !message.html);
  return [
    el("h3", {}, [...pages, ...alerts][0]?.title ?? one.kind),
    locales(one, locale),
    ...pages.map((message) => bodies(one, message)),
    ...alerts.map((message) => phone(message.title, message.text, Date.now())),
    ...messages.map((message) => headers(message.headers)),
    el(
      "div",
      {},
      el("h4", {}, "Sample payload"),
      el("pre", { tabindex: "0" }, JSON.stringify(preview.payload, null, 2)),
    ),
  ];
}

function locales(one, chosen) {
  const links = ["", ...one.locales].map((locale) => {
    const href = `#templates/${one.kind}${locale ? `?locale=${locale}` : ""}`;
    return el("a", { href, "aria-current": locale === chosen && "true" }, locale || "no locale");
  });
  return el("p", { class: "locales" }, links);
}

function bodies(one, message) {
  const frame = el("iframe", {
    title: `The email of ${one.kind} as it looks`,
    src: message.html,
    sandbox: "",
  });
  return el(
    "div",
    { class: "bodies" },
    el("figure", {}, el("figcaption", {}, "HTML"), frame),
    el("figure", {}, el("figcaption", {}, "Text"), el("pre", { tabindex: "0" }, message.text)),
  );
}

function headers(values) {
  const entries = Object.entries(values);
  if (!entries.length) return null;
  const named = entries.map(([name, value]) => [name, el("code", {}, value)]);
  return el("div", {}, el("h4", {}, "Headers"), facts(named));
}
