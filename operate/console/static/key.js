// The key to the operator's console. It comes in the fragment of the address that dovecote
// console printed, which no request carries, and is kept for this tab, by the origin with its port. Other
// tabs of the same origin may ask for it. The console of make run has none.

const NAME = "key";
const WAIT = 300;
const tabs = new BroadcastChannel("dovecote-console");

tabs.addEventListener("message", ({ data }) => {
  const key = sessionStorage.getItem(NAME);
  if (data.asks && key) tabs.postMessage({ key });
});

/** Take the key from the address, and out of it; tell whether there was one. */
export function takeKey() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (!found) return false;
  sessionStorage.setItem(NAME, found[1]);
  history.replaceState(null, "", location.pathname);
  return true;
}

/** Ask the other tabs for the key, as a tab that a link opened has to; tell whether one had it. */
export function askTabs() {
  return new Promise((resolve) => {
    const heard = ({ data }) => {
      if (data.key) sessionStorage.setItem(NAME, data.key);
      if (data.key) end(true);
    };
    const end = (found) => {
      tabs.removeEventListener("message", heard);
      resolve(found);
    };
    tabs.addEventListener("message", heard);
    tabs.postMessage({ asks: true });
    setTimeout(() => end(false), WAIT);
  });
}

/** Add the key, if there is one, to the headers of a request to the console's own port. */
export function withKey(headers = {}) {
  const key = sessionStorage.getItem(NAME);
  return key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
}
