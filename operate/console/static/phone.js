// A push notification as a phone shows it.

import { el } from "./dom.js";

export function phone(title, body, text) {
  const at = new Date(text);
  const clock = at.toLocaleTimeString("en-GB", { timeStyle: "short" });
  const day = at.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
  return el(
    "div",
    { class: "phone", role: "img", "aria-label": `On the phone: ${title}. ${body}` },
    el("div", { class: "clock" }, clock),
    el("div", { class: "day" }, day),
    el(
      "div",
      { class: "note" },
      el("div", { class: "app" }, el("span", {}, "Nestbox"), el("span", {}, "now")),
      el("strong", {}, title),
      el("p", {}, body),
    ),
  );
}
