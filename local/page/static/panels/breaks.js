// Buttons that break things, and one that mends them.

import { el, show } from "/_console/static/dom.js";
import { refresh, watch } from "../state.js";
import { post, SAMPLES } from "./send.js";

const KILL = "kill-worker";
const BATCH = "many-recipients.json";

export function breaks(list, mend, answer) {
  async function press(one) {
    const method = one.on ? "DELETE" : "PUT";
    const said = await fetch(`/_local/breaks/${one.name}`, { method });
    if (!said.ok) answer.textContent = (await said.json()).detail;
    else if (one.name === KILL && !one.on) answer.textContent = await batch();
    else answer.textContent = one.on ? `Mended: ${one.title}.` : `Broken: ${one.title}.`;
    refresh();
  }

  async function batch() {
    const sample = (await SAMPLES).find((known) => known.name === BATCH);
    const { status } = await post(sample, {});
    return status === 202
      ? "A batch is stored; its worker is killed, and another ends it when the claim runs out."
      : `The batch was answered ${status}.`;
  }

  mend.addEventListener("click", async () => {
    await fetch("/_local/breaks", { method: "DELETE" });
    answer.textContent = "All is mended.";
    refresh();
  });

  watch((state) => state && show(list, state.breaks.map((one) => row(one, press))));
}

function row(one, press) {
  const about = el("p", { class: "hint", id: `about-${one.name}` }, one.about);
  const attributes = {
    type: "button",
    class: one.on ? "on" : "",
    "data-key": one.name,
    "data-on": one.used ? `on · ${one.used}` : "on",
    "aria-pressed": String(one.on),
    "aria-describedby": `about-${one.name}`,
    onclick: () => press(one),
  };
  return el("li", {}, el("button", attributes, one.title), about);
}
