// graphile-worker, with the settings that its documentation names for throughput.
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import { awaitStart, handled, main, payload, say, sleep, tell } from "./line.mjs";

const logger = new Logger(() => () => {});
const CONCURRENCY = 24;
const LOCAL_QUEUE = 1000;
const CHUNK = 1000;

const install = (url) => runMigrations({ connectionString: url, logger });

async function fill(url, count) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  for (let first = 0; first < count; first += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, count - first) }, (_, n) => first + n);
    await utils.addJobs(numbers.map((n) => ({ identifier: "noop", payload: payload(n) })));
  }
  await utils.release();
}

async function enqueue(url, count) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.addJob("noop", payload(count));
  await awaitStart();
  for (let number = 0; number < count; number++) await utils.addJob("noop", payload(number));
  say(count);
}

async function bulk(url, calls, size) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  const jobs = Array.from({ length: size }, (_, n) => ({ identifier: "noop", payload: payload(n) }));
  await utils.addJobs(jobs);
  await awaitStart();
  for (let call = 0; call < calls; call++) await utils.addJobs(jobs);
  say(calls * size);
}

async function drain(url, milliseconds, inFlight) {
  const noop = async () => {
    if (milliseconds) await sleep(milliseconds);
    handled.count++;
  };
  await awaitStart();
  tell();
  await run({
    taskList: { noop },
    noHandleSignals: true,
    preset: {
      worker: {
        connectionString: url,
        logger,
        concurrentJobs: inFlight || CONCURRENCY,
        localQueue: { size: LOCAL_QUEUE },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
}

await main({ install, fill, enqueue, bulk, drain });
