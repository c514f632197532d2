// BullMQ under measurement: node on_bullmq.mjs COMMAND WANTED. What is asked and answered is told in
// measuring.py.

import { createRequire } from "node:module";

const modules = createRequire(`${process.env.NODE_PATH}/`);
const { Queue, Worker } = modules("bullmq");

const WARM_UP = 300;
const BATCH = 1000;
const [command, text] = process.argv.slice(2);
const wanted = JSON.parse(text);
const connection = wanted.store;

const seconds = () => Number(process.hrtime.bigint()) / 1e9;

async function submit(queue, count, concurrency, until) {
  let begun = 0;
  const began = seconds();
  const one = async () => {
    while (begun < count && seconds() < until) {
      begun += 1;
      await queue.add("no-op", { at: 0 });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  return [begun, seconds() - began];
}

async function submitInBulk(queue, count) {
  const began = seconds();
  for (let left = count; left > 0; left -= BATCH) {
    const jobs = Array.from({ length: Math.min(left, BATCH) }, () => ({
      name: "no-op",
      data: { at: 0 },
    }));
    await queue.addBulk(jobs);
  }
  return [count, seconds() - began];
}

// Resolves when so many are completed, which is told once the store has taken it, or time is up.
async function work(name, count, concurrency, until) {
  const worker = new Worker(name, async () => {}, { connection, concurrency, autorun: false });
  await worker.waitUntilReady();
  let done = 0;
  let ended = 0;
  const began = seconds();
  const finished = new Promise((resolve) => {
    worker.on("completed", () => {
      done += 1;
      ended = seconds();
      if (done === count || ended > until) resolve();
    });
  });
  worker.run();
  await finished;
  const found = [done, ended - began];
  await worker.close();
  return found;
}

async function cycles() {
  const warm = new Queue(`${wanted.queue}-warm`, { connection });
  const [begun] = await submit(warm, WARM_UP, wanted.concurrency, seconds() + wanted.seconds);
  await work(warm.name, begun, wanted.concurrency, seconds() + wanted.seconds);
  await warm.close();
  const queue = new Queue(wanted.queue, { connection });
  const end = seconds() + wanted.seconds;
  const submitted = await submit(queue, wanted.jobs, wanted.concurrency, end);
  const bulk = await submitInBulk(queue, wanted.jobs - submitted[0]);
  const until = seconds() + 2 * wanted.seconds;
  const cycled = await work(queue.name, wanted.jobs, wanted.concurrency, until);
  await queue.close();
  return { submitted, bulk, cycled };
}

async function start() {
  const late = [];
  const worker = new Worker(
    wanted.queue,
    async (job) => {
      late.push((seconds() - job.data.at) * 1000);
    },
    { connection },
  );
  await worker.waitUntilReady();
  const finished = new Promise((resolve) => {
    worker.on("completed", () => late.length === wanted.jobs && resolve());
  });
  process.stdout.write("ready\n");
  await finished;
  await worker.close();
  return { start_ms: late };
}

async function send() {
  const queue = new Queue(wanted.queue, { connection });
  for (let number = 0; number < wanted.jobs; number += 1) {
    await new Promise((resolve) => setTimeout(resolve, wanted.pause_ms));
    await queue.add("no-op", { at: seconds() });
  }
  await queue.close();
  return {};
}

const answer = await { cycles, start, send }[command]();
process.stdout.write(`${JSON.stringify(answer)}\n`);
