// Small charts of the last hour: a bar a minute. What they show is said in words as well.

import { el, svg } from "./dom.js";
import { count, whole } from "./words.js";

const HEIGHT = 100;
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

/** Draw minutes; `series` are members of theirs, each with how one and how many are called. */
export function chart(title, minutes, series) {
  const sum = (one) => series.reduce((total, [name]) => total + one[name], 0);
  const most = Math.max(...minutes.map(sum), 1);
  const words = `${said(minutes, series)} in the last hour`;
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${minutes.length} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${title}: ${words}`,
    },
    minutes.map((one, place) => column(one, place, series, HEIGHT / most)),
  );
  return el(
    "figure",
    { class: "chart card" },
    el("h3", {}, title),
    el("p", { class: "hint" }, legend(minutes, series), " in the last hour"),
    el("div", { class: "scale" }, el("span", {}, whole(most)), picture),
    el("div", { class: "ends" }, el("span", {}, "an hour ago"), el("span", {}, "now")),
    numbers(title, minutes, series),
  );
}

function said(minutes, series) {
  return series.map((one) => words(minutes, one)).join(", ");
}

function words(minutes, [name, one, many]) {
  return count(minutes.reduce((total, minute) => total + minute[name], 0), one, many);
}

function legend(minutes, series) {
  return series.map((one) => el("span", { class: `key ${one[0]}` }, words(minutes, one)));
}

function column(one, place, series, scale) {
  let top = HEIGHT;
  const bars = series.map(([name]) => {
    const height = one[name] * scale;
    top -= height;
    return svg("rect", { class: name, x: place + 0.1, y: top, width: 0.8, height });
  });
  const at = CLOCK.format(new Date(one.at));
  return svg("g", {}, svg("title", {}, `${at}: ${said([one], series)}`), bars);
}

function numbers(title, minutes, series) {
  const busy = minutes.filter((one) => series.some(([name]) => one[name])).reverse();
  if (!busy.length) return null;
  const head = ["Minute", ...series.map(([, , many]) => many)];
  return el(
    "details",
    { "data-key": title },
    el("summary", {}, "Numbers"),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, as numbers` },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, busy.map((one) => row(one, series))),
      ),
    ),
  );
}

function row(one, series) {
  const cells = series.map(([name]) => el("td", {}, whole(one[name])));
  return el("tr", {}, el("td", {}, CLOCK.format(new Date(one.at))), cells);
}
