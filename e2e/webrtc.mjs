// Watches by WebRTC in Chromium, and writes what was shown and heard as JSON. What is right is not judged here.
//
//   node webrtc.mjs '{"page": …, "kind": "loop", "codec": "VP8", "rows": 128, "seconds": 10}'
//   node webrtc.mjs '{"page": …, "kind": "whep", "whep": …, "rows": 128, "seconds": 10, "seek": …}'

import { chromium } from "playwright-core";
import { readFile } from "node:fs/promises";

const task = JSON.parse(process.argv[2]);
const BOUND = 60_000; // ms for what takes a moment

const browser = await chromium.launch({
  executablePath: task.chromium,
  // Root is no user for Chromium's sandbox, and the pages are the test's own.
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
});
const report = { complaints: [] };
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 600 } });
  page.setDefaultTimeout(BOUND);
  page.on("pageerror", (e) => report.complaints.push(String(e)));
  page.on("console", (m) => m.type() === "error" && report.complaints.push(`${m.text()} (${m.location().url})`));
  await page.addInitScript({ content: await readFile(new URL("watch.js", import.meta.url), "utf8") });
  await page.addInitScript(inPage, { rows: task.rows, codec: task.codec });
  await page.goto(task.page);
  if (task.kind === "loop") {
    await page.evaluate(() => { peer.observe("own"); peer.observe("back"); });
    await page.click("#play");
  } else {
    await page.evaluate(() => peer.observe("back"));
    await page.evaluate((url) => peer.whep(url), task.whep);
  }
  await page.waitForFunction(() => peer.seen.back?.length > 25);
  await page.evaluate(() => peer.listen("back"));
  await page.waitForTimeout(task.seconds * 1000);
  await page.waitForFunction((beeps) => peer.onsets.length >= beeps, task.beeps ?? 0); // a busy browser misses some
  for (const by of task.sizes ?? []) { // as a browser does that is short of time
    await page.evaluate((by) => peer.shrink(by), by);
    await page.waitForTimeout(task.seconds * 1000);
  }
  if (task.seek) {
    await page.evaluate(({ path, token, position }) => fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json", "X-Api-Token": token }, body: JSON.stringify({ position }),
    }), task.seek);
    await page.waitForTimeout(task.seek.seconds * 1000);
  }
  Object.assign(report, await page.evaluate(() => peer.tell()));
  await page.evaluate(() => peer.connection.close()); // as a page that is left
  report.closed = Date.now();
} catch (error) {
  report.failure = String(error);
} finally {
  await new Promise((done) => process.stdout.write(JSON.stringify(report), done));
  await new Promise((done) => setTimeout(done, 2000)); // a browser that is ended cannot say goodbye
  await browser.close();
}

// Runs in the page before anything of its own.
function inPage({ rows, codec }) {
  const Real = RTCPeerConnection;
  const peer = (globalThis.peer = { seen: {}, onsets: [], connection: null });
  globalThis.RTCPeerConnection = class extends Real {
    constructor(...all) {
      super(...all);
      peer.connection = this;
    }
    addTransceiver(track, how) {
      const made = super.addTransceiver(track, how);
      if (codec && track.kind === "video") { // that the page sends; H.264 comes back
        const known = RTCRtpSender.getCapabilities("video").codecs;
        const wanted = known.filter((c) => c.mimeType === `video/${codec}`);
        made.setCodecPreferences([...wanted, ...known.filter((c) => /H264|rtx/.test(c.mimeType) && !wanted.includes(c))]);
      }
      return made;
    }
  };

  // Notes the number of every picture that a video element shows, and when.
  peer.observe = (id) => {
    const video = document.getElementById(id);
    const seen = (peer.seen[id] = []);
    let canvas, pen;
    const look = () => {
      video.requestVideoFrameCallback(look);
      const at = performance.now(); // reading takes a while
      let shown;
      try {
        shown = new VideoFrame(video);
      } catch (error) {
        if (error.name === "InvalidStateError") return; // the element has let go of it, as at a new source
        throw error;
      }
      const { displayWidth: width, displayHeight: height } = shown;
      if (canvas?.width !== width || canvas.height !== height) {
        canvas = new OffscreenCanvas(width, height);
        pen = canvas.getContext("2d", { willReadFrequently: true });
      }
      pen.drawImage(shown, 0, 0);
      shown.close();
      const number = watch.number(pen.getImageData(0, 0, width, height), height / rows);
      seen.push({ number, at, width, height });
    };
    video.requestVideoFrameCallback(look);
  };

  // Notes when sound begins after silence, by the page's clock.
  peer.listen = async (id) => {
    const stream = document.getElementById(id).srcObject;
    if (stream.getAudioTracks().length === 0) return;
    const context = new AudioContext();
    const source = `registerProcessor("listener", class extends AudioWorkletProcessor {
      quiet = 0;
      process([[samples]]) {
        for (let i = 0; samples && i < samples.length; i++) {
          if (Math.abs(samples[i]) < 0.1) this.quiet++;
          else {
            if (this.quiet > sampleRate / 20) this.port.postMessage(currentTime + i / sampleRate);
            this.quiet = 0;
          }
        }
        return true;
      }
    })`;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const listener = new AudioWorkletNode(context, "listener");
    listener.port.onmessage = ({ data }) => {
      peer.onsets.push(performance.now() + (data - context.currentTime) * 1000);
    };
    context.createMediaStreamSource(stream).connect(listener);
    listener.connect(context.destination);
  };

  // Watches a session as docs/webrtc.md shows it.
  peer.whep = async (url) => {
    const connection = new RTCPeerConnection();
    const received = new MediaStream();
    connection.ontrack = ({ track }) => received.addTrack(track);
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    await connection.setLocalDescription();
    const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: connection.localDescription.sdp });
    if (!answer.ok) throw new Error(await answer.text());
    peer.warning = answer.headers.get("Upscaled-Warning");
    peer.location = answer.headers.get("Location");
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    const video = document.getElementById("back");
    video.srcObject = received;
    await video.play();
  };

  // Sends the picture so many times smaller than it is.
  peer.shrink = async (by) => {
    const sender = peer.connection.getSenders().find((s) => s.track?.kind === "video");
    const parameters = sender.getParameters();
    parameters.encodings[0].scaleResolutionDownBy = by;
    await sender.setParameters(parameters);
  };

  peer.tell = async () => {
    const streams = [];
    for (const s of (await peer.connection.getStats()).values()) {
      if (s.type !== "inbound-rtp") continue;
      const each = (total, of) => (of ? (total * 1000) / of : 0); // ms
      streams.push({
        kind: s.kind, lost: s.packetsLost, freezes: s.freezeCount ?? 0,
        buffered: each(s.jitterBufferDelay, s.jitterBufferEmittedCount), decoding: each(s.totalDecodeTime, s.framesDecoded),
      });
    }
    return {
      origin: performance.timeOrigin, own: peer.seen.own ?? [], back: peer.seen.back, onsets: peer.onsets, streams, warning: peer.warning ?? "",
      state: peer.connection.connectionState, message: document.getElementById("message").textContent,
    };
  };
}
