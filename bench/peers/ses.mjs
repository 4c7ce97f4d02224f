// graphile-worker and client-sesv2: store jobs one by one, then send an email for each.
import { readFileSync } from "node:fs";
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import { SendEmailCommand, SESv2Client } from "@aws-sdk/client-sesv2";
import { awaitStart, main, say } from "./line.mjs";

const logger = new Logger(() => () => {});
const message = JSON.parse(readFileSync(process.env.MESSAGE_FILE));
const client = new SESv2Client({ endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 });
const text = (data) => ({ Data: data });

const send = (number) =>
  client.send(
    new SendEmailCommand({
      FromEmailAddress: message.sender,
      Destination: { ToAddresses: [`success+${number}@simulator.amazonses.com`] },
      Content: {
        Simple: {
          Subject: text(message.subject),
          Body: { Html: text(message.html), Text: text(message.text) },
        },
      },
    }),
  );

const seconds = () => performance.now() / 1000;

const install = (url) => runMigrations({ connectionString: url, logger });

async function job(url, count, inFlight) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await send("warm");
  await awaitStart();
  const began = seconds();
  for (let number = 0; number < count; number++) await utils.addJob("email", { number });
  const stored = seconds();
  const before = process.cpuUsage();
  await new Promise((resolve) => {
    let sent = 0;
    const email = async ({ number }) => {
      await send(number);
      if (++sent === count) resolve();
    };
    run({
      taskList: { email },
      noHandleSignals: true,
      preset: {
        worker: {
          connectionString: url,
          logger,
          concurrentJobs: inFlight,
          localQueue: { size: 1000 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    });
  });
  // The last jobs are completed in a batch.
  await utils.withPgClient(async (pg) => {
    for (;;) {
      const { rows } = await pg.query("select count(*)::int as left from graphile_worker._private_jobs");
      if (rows[0].left === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  const ended = seconds();
  const { user, system } = process.cpuUsage(before);
  say(`took ${stored - began} ${ended - stored} ${(user + system) / 1e6}`);
}

await main({ install, job });
