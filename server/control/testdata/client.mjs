// Drives docs/examples/control.js for js_test.go: says what it does on its output, a
// line each, and ends with 0 when all went as it should.
import assert from "node:assert/strict";
import { Control, ControlError, newest } from "../../../docs/examples/control.js";

const [server, token] = process.argv.slice(2);
const control = new Control(server, { token, timeout: 10_000 });
const once = (type, is = () => true) =>
  new Promise((resolve) => {
    control.addEventListener(type, function take(e) {
      if (!is(e.detail)) return;
      control.removeEventListener(type, take);
      resolve(e.detail);
    });
  });

const { hello, sessions } = await control.connect();
assert.equal(hello.protocol, "upscaled.v1");
assert.deepEqual(sessions, []);

const session = await control.request("session.create", { source: "films/a.mkv" });
await control.subscribe(session.id);
await assert.rejects(control.request("session.get", { session: "nobody" }), (e) => e instanceof ControlError && e.code === "session_unknown");

// Of many values that come at once, the first and the newest are sent.
const sent = [];
const offer = newest(async (strength) => {
  sent.push(strength);
  await control.request("session.set", { session: session.id, strength });
});
await Promise.all([offer(0.1), offer(0.2), offer(0.3)]);
assert.deepEqual(sent, [0.1, 0.3]);

// A connection that is lost fails what is under way, and comes back with all.
const down = once("down");
const again = once("open");
const figures = once("session.stats");
console.log("drop");
assert.equal((await down).code, 4001);
await assert.rejects(control.request("session.list"), { code: "disconnected" });
assert.equal((await again).sessions[0].id, session.id);
console.log("stats");
assert.equal((await figures).session, session.id);

const ended = once("session.state", (d) => d.payload.state === "ended");
await control.request("session.close", { session: session.id });
assert.equal((await ended).payload.cause, "client");
control.close();

// Who has the wrong capability is not kept trying.
const stranger = new Control(server, { session: session.id, capability: "wrong" });
await assert.rejects(stranger.connect(), /not authenticated/);
console.log("done");
