// The HTTP API: what it answers, or why it does not, in words.

import { withKey } from "./key.js";

/** What the API, or the way to it, refused. */
export class Refusal extends Error {
  constructor(status, document) {
    super(document.detail ?? said(status, document));
    this.status = status;
    this.faults = document.errors ?? [];
  }

  /** Tell whether a member of the body, or a parameter, is at fault. */
  isOf(pointer) {
    return this.faults.some((fault) => fault.pointer === pointer);
  }

  /** Return all that was said, as one sentence after the other. */
  get words() {
    const faults = this.faults.map((fault) => `${fault.pointer} ${fault.detail}.`.trim());
    return [this.message, ...faults].join(" ");
  }
}

/** Say what API Gateway answers by itself. */
function said(status, { message }) {
  if (status === 404) return "The deployed API does not know this call: it is of another release.";
  if (status === 429) return "The API has too much to do: ask again in a moment.";
  return `The API answered ${status}${message ? `: ${message}` : ""}.`;
}

/** Ask the API; raise a Refusal. */
export async function ask(method, path, body) {
  const options = { method, cache: "no-store", headers: withKey() };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refusal(0, { detail: "The server does not answer: was it stopped?" });
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, document);
  return document;
}

/** Write a path with the parameters that have a value. */
export function withQuery(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
