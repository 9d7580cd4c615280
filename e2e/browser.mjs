// Plays a film on a page in Chromium, as somebody would who seeks and tries the menus,
// and writes what was shown and heard as JSON. What is right is not judged here.
//
//   node browser.mjs '{"page": …, "height": …, "steps": [{"do": "play", …}, …]}'

import { chromium } from "playwright-core";
import { readFile } from "node:fs/promises";

const task = JSON.parse(process.argv[2]);
const BOUND = 60_000; // ms for each step

const browser = await chromium.launch({
  executablePath: task.chromium,
  // Root is no user for Chromium's sandbox, and the pages are the test's own.
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
});
// What a step does.
const steps = {
  async play(page, { seconds }) {
    await page.click("#play");
    await shows(page, `f.time >= ${seconds}`);
  },
  async go(page, { to }) {
    await page.evaluate((to) => { document.querySelector("video").currentTime = to; }, to);
  },
  // Goes to a time of the film and plays on for some seconds.
  async seek(page, { to, seconds }) {
    await steps.go(page, { to });
    await shows(page, `f.time >= ${to + seconds - 0.1} && f.time < ${to + seconds + 5}`);
  },
  // Moves a control of the page, and waits until what is shown satisfies a condition.
  async change(page, { control, value, until, seconds }) {
    await page.evaluate(([id, value]) => {
      const element = document.getElementById(id);
      element.value = value;
      element.dispatchEvent(new Event(element.tagName === "SELECT" ? "change" : "input"));
    }, [control, value]);
    await shows(page, until);
    const at = await page.evaluate(() => watch.frames.at(-1).time);
    await shows(page, `f.time >= ${at + seconds}`);
  },
  async end(page) {
    await page.waitForFunction(() => document.querySelector("video").ended);
  },
  async press(page, { control }) {
    await page.click(`#${control}`);
  },
  async wait(page, { until }) {
    await page.waitForFunction(until);
  },
  async photograph(page, { path }) {
    await page.screenshot({ path });
  },
};

const report = { complaints: [], steps: [] };
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 790 } });
  page.setDefaultTimeout(BOUND);
  page.on("pageerror", (e) => report.complaints.push(String(e)));
  page.on("console", (m) => m.type() === "error" && report.complaints.push(`${m.text()} (${m.location().url})`));
  await page.addInitScript({ content: await readFile(new URL("watch.js", import.meta.url), "utf8") });
  await page.goto(task.page);
  if (task.height) await page.evaluate((height) => watch.begin(height), task.height);
  for (const step of task.steps) {
    await page.evaluate((phase) => { watch.phase = phase; }, step.name);
    const begin = performance.now();
    await steps[step.do](page, step);
    report.steps.push({ name: step.name, took: performance.now() - begin, clock: await page.evaluate(() => document.querySelector("video").currentTime) });
  }
  Object.assign(report, await page.evaluate(() => {
    const { frames, events, onsets, clocks } = watch;
    return { frames, events, onsets, clocks, message: document.getElementById("message").textContent };
  }));
} catch (error) {
  report.failure = String(error);
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(report));

// shows resolves when the last frame that was shown satisfies an expression of f.
function shows(page, condition) {
  return page.waitForFunction(`(() => { const f = watch.frames.at(-1); return f && f.phase === watch.phase && (${condition}); })()`);
}
