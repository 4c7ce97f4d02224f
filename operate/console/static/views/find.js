// Find notifications by person, by key or by id.

import { ask, withQuery } from "../api.js";
import { el, nothing, show } from "../dom.js";
import { moment } from "../words.js";
import { entry } from "./notification.js";

const WAYS = {
  user_id: { title: "User", fields: [["user_id", "User id"]] },
  email: { title: "Email", fields: [["email", "Address"]] },
  key: { title: "Key", fields: [["kind", "Kind"], ["idempotency_key", "Idempotency key"]] },
  id: { title: "Id", fields: [["id", "Notification id"]] },
};

export function find(container, { query }) {
  const way = wayOf(query);
  const list = el("ol", { class: "notifications", "aria-label": "Notifications, newest first" });
  const known = el("div", {});
  const more = el("div", { class: "more", role: "status" });
  const fields = el("div", { class: "fields" });
  container.append(
    el("h2", { class: "unseen", tabindex: "-1" }, "Find"),
    form(way, fields, query),
    known,
    list,
    more,
  );
  const wanted = Object.fromEntries(query);
  const person = { user_id: wanted.user_id, email: wanted.email };
  const address = (one) => withQuery(`#notifications/${one.notification_id}`, person);
  if (Object.values(wanted).some(Boolean)) {
    load();
    about(known, person);
  } else show(more, nothing("Why did somebody get nothing? Ask by user, address, key or id."));

  async function load(after = "") {
    try {
      const page = await ask("GET", withQuery("/notifications", { ...wanted, after }));
      list.append(...page.notifications.map((one) => el("li", {}, entry(one, address(one)))));
      const none = list.children.length ? null : nothing("Nothing was submitted so.");
      const press = { type: "button", onclick: () => load(page.next) };
      show(more, none, page.next && el("button", press, "More"));
    } catch (refusal) {
      show(more, el("p", { class: "refusal" }, refusal.words));
    }
  }
}

function wayOf(query) {
  if (query.has("idempotency_key")) return "key";
  return query.has("email") ? "email" : "user_id";
}

function form(way, fields, query) {
  const options = Object.entries(WAYS).map(([value, one]) => el("option", { value }, one.title));
  const select = el("select", { name: "way" }, options);
  const choose = () =>
    show(
      fields,
      WAYS[select.value].fields.map(([name, title]) => {
        const given = { name, required: true, autocomplete: "off", spellcheck: "false" };
        const input = el("input", { ...given, value: query.get(name) });
        return el("label", {}, title, input);
      }),
    );
  select.value = way;
  select.addEventListener("change", choose);
  choose();
  const made = el(
    "form",
    { class: "filter card", id: "find" },
    el("label", {}, "By", select),
    fields,
    el("button", { class: "primary", type: "submit" }, "Find"),
  );
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...fields.querySelectorAll("input")].map((one) => [one.name, value(one)]);
    location.hash =
      select.value === "id"
        ? `notifications/${encodeURIComponent(given[0][1])}`
        : withQuery("find", Object.fromEntries(given));
  });
  return made;
}

// An id of the producer's own may begin or end with a space.
function value({ name, value }) {
  return ["id", "email"].includes(name) ? value.trim() : value;
}

/** Say what is known of the person: a suppression, or devices. */
async function about(container, { email, user_id: user }) {
  try {
    if (email) {
      const one = await ask("GET", withQuery("/suppressions", { email }));
      const words = `${email} is suppressed (${one.reason}) since `;
      show(container, el("p", { class: "paused" }, words, moment(one.created_at), "."));
    }
    if (user) {
      const { devices } = await ask("GET", withQuery("/devices", { user_id: user }));
      const said = devices.map((one) => `${one.platform} ${one.dead_at ? "dead" : "alive"}`);
      show(container, el("p", { class: "hint" }, `Devices: ${said.join(", ") || "none"}.`));
    }
  } catch (refusal) {
    if (refusal.status !== 404) show(container, el("p", { class: "refusal" }, refusal.words));
  }
}
