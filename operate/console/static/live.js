// Asks again and again, and not while nobody looks. An answer that is known already (304) costs
// next to nothing.

import { withKey } from "./key.js";

const EVERY = 1000;

/** Call `changed` with each new answer of a URL, `lost` when there is none; returns how to stop. */
export function follow(url, changed, lost = () => {}, every = EVERY) {
  let tag = "";
  let timer = 0;
  let newest = 0;
  let stopped = false;

  async function ask() {
    clearTimeout(timer);
    const turn = ++newest;
    const answer = await asked(url, tag);
    // Somebody asked again meanwhile, and goes on from there.
    if (stopped || turn !== newest) return;
    if (!document.hidden) timer = setTimeout(ask, every);
    if (answer.tag) tag = answer.tag;
    if (answer.status === 304) changed(null);
    else if (answer.status === 200) changed(answer.document);
    else lost(answer.document?.detail ?? answer.document?.message ?? null);
  }

  const seen = () => document.hidden || ask();
  document.addEventListener("visibilitychange", seen);
  ask();
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
  return { stop, ask };
}

async function asked(url, tag) {
  try {
    const headers = withKey(tag ? { "If-None-Match": tag } : {});
    const answer = await fetch(url, { headers, cache: "no-store" });
    const document = answer.status === 304 ? null : await answer.json();
    return { status: answer.status, document, tag: answer.headers.get("ETag") };
  } catch {
    return { status: 0 };
  }
}

/** Ask once for a JSON document. */
export async function read(url) {
  const answer = await fetch(url, { cache: "no-store", headers: withKey() });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}
