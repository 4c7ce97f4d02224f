// pg-boss, in batches of a thousand that follow each other without a pause.
import { PgBoss } from "pg-boss";
import { awaitStart, handled, main, payload, say, sleep, tell } from "./line.mjs";

const BATCH = 1000;

// Supervision and schedules off: what is measured is the queue.
const opened = async (url) => {
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false });
  boss.on("error", (error) => process.stderr.write(`${error}\n`));
  return boss.start();
};

async function install(url) {
  const boss = await opened(url);
  await boss.createQueue("noop");
  await boss.stop({ graceful: false });
}

async function fill(url, count) {
  const boss = await opened(url);
  for (let first = 0; first < count; first += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, count - first) }, (_, n) => first + n);
    await boss.insert("noop", numbers.map((n) => ({ data: payload(n) })));
  }
  await boss.stop({ graceful: false });
}

async function enqueue(url, count) {
  const boss = await opened(url);
  await boss.send("noop", payload(count));
  await awaitStart();
  for (let number = 0; number < count; number++) await boss.send("noop", payload(number));
  say(count);
}

async function bulk(url, calls, size) {
  const boss = await opened(url);
  const jobs = Array.from({ length: size }, (_, n) => ({ data: payload(n) }));
  await boss.insert("noop", jobs);
  await awaitStart();
  for (let call = 0; call < calls; call++) await boss.insert("noop", jobs);
  say(calls * size);
}

async function drain(url, milliseconds, inFlight) {
  const boss = await opened(url);
  await awaitStart();
  tell();
  const batchSize = Math.min(BATCH, inFlight || BATCH);
  const options = { batchSize, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
  await boss.work("noop", options, async (jobs) => {
    if (milliseconds) await sleep(milliseconds);
    handled.count += jobs.length;
  });
}

await main({ install, fill, enqueue, bulk, drain });
