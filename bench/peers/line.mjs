// What a contender's program says to the bench: ready, then how many jobs it has handled.
import { createInterface } from "node:readline";

export const handled = { count: 0 };

export const say = (word) => process.stdout.write(`${word}\n`);

// Say that all is loaded and connected, and wait for the start; the end of the line ends us.
export function awaitStart() {
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  say("ready");
  return new Promise((resolve) => lines.once("line", resolve));
}

// Tell the count whenever it has changed.
export function tell() {
  let told = 0;
  setInterval(() => {
    if (handled.count !== told) say((told = handled.count));
  }, 5);
}

export const payload = (number) => ({
  order_id: `A${String(number).padStart(8, "0")}`,
  carrier: "DHL",
  first_name: "Ann",
});

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function main(orders) {
  const [order, url, ...numbers] = process.argv.slice(2);
  await orders[order](url, ...numbers.map(Number));
}
