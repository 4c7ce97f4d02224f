// Ask the API again and again, except while the page is hidden.

import { ask, Refusal } from "./api.js";

const EVERY = 1000;

/**
 * Call `changed` with each answer, null for the same answer again, and `lost` with the words of a
 * refusal. Return how to stop, and how to ask at once.
 */
export function follow(path, changed, lost = () => {}, every = EVERY) {
  let timer = 0;
  let newest = 0;
  let last = "";

  async function turn() {
    clearTimeout(timer);
    const own = ++newest;
    try {
      const answer = await ask("GET", path);
      if (own !== newest) return; // a later call goes on by itself
      const text = JSON.stringify(answer);
      await changed(text === last ? null : answer);
      last = text;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (own === newest) lost(refusal.words);
    }
    if (own === newest && !document.hidden) timer = setTimeout(turn, every);
  }

  const seen = () => document.hidden || turn();
  document.addEventListener("visibilitychange", seen);
  turn();
  const stop = () => {
    newest = Infinity;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
  return { stop, ask: turn };
}
