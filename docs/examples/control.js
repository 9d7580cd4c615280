// A client of upscaled's control protocol (docs/control.md): an ES module without
// dependencies, for browsers and for whatever has WebSocket and EventTarget.
//
//   const control = new Control("http://127.0.0.1:7890", { token });
//   control.addEventListener("session.state", (e) => show(e.detail.payload));
//   await control.connect();
//   const session = await control.request("session.create", { source: "films/a.mkv" });

const PROTOCOL = "upscaled.v1";
const FIRST_WAIT = 500; // ms before the first try to come back; doubles with each
const LONGEST_WAIT = 30_000;
const REFUSED = 4401; // the token is wrong: trying again would not help

/** What the server answers when it does not do what it was asked. */
export class ControlError extends Error {
  constructor({ message, ...more }) {
    super(message);
    this.name = "ControlError";
    Object.assign(this, more); // code, owner, retryable, retry_after, figures, faults
  }
}

/**
 * A connection that comes back by itself. It dispatches the server's events under
 * their own types, with {session, seq, payload} as detail, and
 *   open    it is there (again); detail is {hello, sessions}
 *   down    it is gone; detail is {code, reason, wait}: in wait ms it is tried again,
 *           null: it is not
 */
export class Control extends EventTarget {
  #socket = null;
  #next = 1;
  #pending = new Map(); // by id: {resolve, reject, timer}
  #subscribed = new Set(); // sessions whose figures are wanted
  #all = false; // those of all are
  #wait = FIRST_WAIT;
  #retry = null; // timer
  #stopped = true;

  /** server: its address; token, or capability of session: who one is; timeout: ms for a reply. */
  constructor(server, { token, session, capability, timeout = 35_000 } = {}) {
    super();
    this.url = new URL("/v1/control", server);
    this.url.protocol = this.url.protocol.replace("http", "ws");
    Object.assign(this, { token, session, capability, timeout });
  }

  /** Connects, and keeps connected until close. Resolves when it is open for the first time. */
  connect() {
    this.#stopped = false;
    return new Promise((resolve, reject) => {
      this.addEventListener("open", (e) => resolve(e.detail), { once: true });
      this.addEventListener("down", (e) => e.detail.wait === null && reject(new Error(e.detail.reason)));
      this.#dial();
    });
  }

  /** Ends the connection for good. */
  close() {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
  }

  /** Asks for something and resolves to the payload of the reply. */
  request(type, payload = {}, timeout = this.timeout) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== 1) {
        reject(new ControlError({ code: "disconnected", message: "not connected", retryable: true }));
        return;
      }
      const id = this.#next++;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new ControlError({ code: "timeout", message: `no reply to ${type}`, retryable: true }));
      }, timeout);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ id, type, payload }));
    });
  }

  /** Has the figures of a session sent, or of all; also after the connection came back. */
  subscribe(session) {
    if (session) this.#subscribed.add(session);
    else this.#all = true;
    return this.request("stats.subscribe", session ? { sessions: [session] } : {});
  }

  unsubscribe(session) {
    if (session) this.#subscribed.delete(session);
    else [this.#all] = [false, this.#subscribed.clear()];
    return this.request("stats.unsubscribe", session ? { sessions: [session] } : {});
  }

  #dial() {
    const offers = [PROTOCOL];
    if (this.token) offers.push("token." + base64url(this.token));
    const socket = (this.#socket = new WebSocket(this.url, offers));
    socket.onopen = () => {
      if (!this.capability) return;
      const { session, capability } = this;
      this.request("auth", { session, capability }).catch(() => {}); // the server closes, and says why
    };
    socket.onmessage = (e) => this.#take(JSON.parse(e.data));
    socket.onclose = (e) => this.#lost(e.code, e.reason);
    socket.onerror = () => {}; // close follows
  }

  #take(message) {
    if ("ok" in message) {
      const waiting = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      clearTimeout(waiting?.timer);
      if (message.ok) waiting?.resolve(message.payload);
      else waiting?.reject(new ControlError(message.error));
      return;
    }
    const { type, ...detail } = message;
    this.#tell(type, detail);
    if (type === "server.hello") this.#resume(detail.payload).catch(() => this.#socket.close(1000));
  }

  // Lists the sessions and asks for the figures again that were wanted before.
  async #resume(hello) {
    const { sessions } = await this.request("session.list");
    const alive = new Set(sessions.filter((s) => s.state !== "ended").map((s) => s.id));
    for (const id of this.#subscribed) if (!alive.has(id)) this.#subscribed.delete(id);
    if (this.#all) await this.request("stats.subscribe");
    else if (this.#subscribed.size) await this.request("stats.subscribe", { sessions: [...this.#subscribed] });
    this.#wait = FIRST_WAIT;
    this.#tell("open", { hello, sessions });
  }

  #lost(code, reason) {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new ControlError({ code: "disconnected", message: reason || "connection lost", retryable: true }));
    }
    this.#pending.clear();
    const again = !this.#stopped && code !== REFUSED;
    const wait = again ? this.#wait * (0.5 + Math.random() / 2) : null; // so that not all come at once
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    if (again) this.#retry = setTimeout(() => this.#dial(), wait);
    this.#tell("down", { code, reason: reason || "connection lost", wait });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Returns a function that has send called with the newest value that it was given,
 * never twice at once: for sliders, whose values in between nobody needs.
 */
export function newest(send) {
  let busy = false;
  let waiting = null; // a list of one
  return async function offer(value) {
    waiting = [value];
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const [now] = waiting;
        waiting = null;
        await send(now);
      }
    } finally {
      busy = false;
    }
  };
}

function base64url(text) {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
