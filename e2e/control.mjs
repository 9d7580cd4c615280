// Speaks with a server through docs/examples/control.js, in Chromium, which has a WebSocket of
// its own. Ends with 0 when all went as it should, and says otherwise what did not.
//
//   node control.mjs '{"page": …, "chromium": …, "server": …, "token": …, "source": …}'

import { chromium } from "playwright-core";

const task = JSON.parse(process.argv[2]);

const browser = await chromium.launch({
  executablePath: task.chromium,
  args: ["--no-sandbox", "--disable-gpu"], // root is no user for Chromium's sandbox, and the page is the test's own
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(task.page);
  await page.evaluate(speak, task);
} finally {
  await browser.close();
}

// Runs in the page.
async function speak({ server, token, source }) {
  const { Control, ControlError, newest } = await import("/control.js");
  const equal = (is, want) => {
    const [a, b] = [JSON.stringify(is), JSON.stringify(want)];
    if (a !== b) throw new Error(`${a} is not ${b}`);
  };
  // Resolves to the error that a promise is rejected with.
  const error = (promise) => promise.then((value) => { throw new Error(`no error, but ${JSON.stringify(value)}`); }, (e) => e);
  const control = new Control(server, { token, timeout: 30_000 });
  const once = (type, is = () => true) =>
    new Promise((resolve) => {
      control.addEventListener(type, function take(e) {
        if (!is(e.detail)) return;
        control.removeEventListener(type, take);
        resolve(e.detail);
      });
    });

  const { hello, sessions } = await control.connect();
  equal(hello.protocol, "upscaled.v1");
  equal(sessions, []);

  const session = await control.request("session.create", { source });
  await control.subscribe(session.id);
  const unknown = await error(control.request("session.get", { session: "nobody" }));
  equal([unknown instanceof ControlError, unknown.code], [true, "session_unknown"]);

  // Of many values that come at once, the first and the newest are sent.
  const sent = [];
  const offer = newest(async (strength) => {
    sent.push(strength);
    await control.request("session.set", { session: session.id, strength });
  });
  await Promise.all([offer(0.1), offer(0.2), offer(0.3)]);
  equal(sent, [0.1, 0.3]);
  equal((await control.request("session.get", { session: session.id })).settings.strength, 0.3);

  // A connection that is lost, since the server takes no message so large, fails what is under
  // way, and comes back with all.
  const down = once("down");
  const again = once("open");
  equal((await error(control.request("session.get", { session: "x".repeat(1 << 20) }))).code, "disconnected");
  const figures = once("session.stats");
  const lost = await down;
  equal([lost.code, lost.wait > 0], [1009, true]);
  equal((await error(control.request("session.list"))).code, "disconnected");
  equal((await again).sessions.map((s) => s.id), [session.id]);
  equal((await figures).session, session.id);

  const ended = once("session.state", (d) => d.payload.state === "ended");
  await control.request("session.close", { session: session.id });
  equal((await ended).payload.cause, "client");
  control.close();

  // Who has the wrong capability is not kept trying.
  const stranger = new Control(server, { session: session.id, capability: "wrong" });
  const refused = await error(stranger.connect());
  if (!/not authenticated/.test(refused.message)) throw refused;
}
