// One question at a time, above the page: the browser's own dialog keeps the focus in it.

import { el, show } from "./dom.js";
import { instant, local } from "./words.js";

const HOUR = 3_600_000;

/** Ask; resolves to null where nobody confirms, else to what was given: `until`, if asked for. */
export function confirmed(title, { text, act, until = false }) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const moment = until ? el("input", { type: "datetime-local", name: "until", step: "1" }) : null;
    if (moment) moment.value = local(Date.now() + HOUR);
    const close = (said) => {
      dialog.onclose = null;
      dialog.close();
      resolve(said);
    };
    const yes = () => close(moment ? { until: instant(moment.value) } : {});
    show(
      dialog,
      el("h2", { id: "dialog-title" }, title),
      el("p", {}, text),
      moment && el("label", {}, "Until", moment),
      el(
        "div",
        { class: "act" },
        el("button", { type: "button", onclick: () => close(null) }, "Leave it"),
        el("button", { type: "button", class: "primary", onclick: yes }, act),
      ),
    );
    dialog.onclose = () => resolve(null); // by the Escape key
    dialog.showModal();
  });
}
