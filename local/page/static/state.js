// The state of the local stack: one poll for all panels and views.

import { ask, Refusal } from "/_console/static/api.js";
import { follow } from "/_console/static/live.js";

const watchers = new Set();
const known = new Map(); // notifications as the API last returned them, with their versions
let state = null;
let turns = 0;
let up = false;

/** Call with each new state and the one before, null for a stopped stack; return how to stop. */
export function watch(changed) {
  watchers.add(changed);
  if (state) changed(state, state);
  return () => watchers.delete(changed);
}

/** Return the last state, or null. */
export const current = () => state;

async function changed(answer) {
  if (!answer && up) return;
  const turn = ++turns;
  const notifications = answer?.newest && (await read(answer.newest));
  if (turn !== turns) return;
  const before = state;
  up = true;
  // While the database is down, its last known values stay.
  state = { ...state, ...answer, ...(notifications && { notifications }) };
  for (const watcher of watchers) watcher(state, before);
}

/** Return the newest notifications; ask the API for those that have changed. */
async function read(newest) {
  for (const [id, version] of newest) {
    if (known.get(id)?.version === version) continue;
    try {
      known.set(id, { version, ...(await ask("GET", `/notifications/${id}`)) });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }
  return newest.map(([id]) => known.get(id)).filter(Boolean);
}

function lost() {
  up = false;
  for (const watcher of watchers) watcher(null, state);
}

/** Ask for the state at once. */
export const { ask: refresh } = follow("/_local/state", changed, lost);
