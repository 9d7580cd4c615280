// Runs in the page before anything of its own, and notes what its video element does
// and shows: globalThis.watch. What numbers and marks look like is defined in
// internal/testmedia.
(() => {
  const CELL = 16; // pixels of the drawn film, as in internal/testmedia/code.go
  const [BITS, ROWS] = [8, 3];
  const EVENTS = ["playing", "waiting", "stalled", "seeking", "seeked", "resize", "ended", "error", "emptied"];

  const watch = (globalThis.watch = { frames: [], events: [], onsets: [], clocks: [], phase: "start", number });
  let canvas, pen;

  // The CRC-8 of a number, begun and ended inverted (x⁸ + x² + x + 1).
  function crc(number) {
    let c = 0xff;
    for (const byte of [number >> 8, number & 0xff]) {
      c ^= byte;
      for (let i = 0; i < 8; i++) c = ((c << 1) ^ (c & 0x80 ? 0x07 : 0)) & 0xff;
    }
    return c ^ 0xff;
  }

  // The number in a picture, null where its checksum does not fit.
  function number({ data, width }, scale) {
    const rows = [0, 0, 0];
    for (let r = 0; r < ROWS; r++) {
      for (let b = 0; b < BITS; b++) {
        const [x, y] = [(b + 1.5) * CELL * scale, (r + 1.5) * CELL * scale].map(Math.floor);
        rows[r] = (rows[r] << 1) | (data[4 * (y * width + x) + 1] > 127 ? 1 : 0);
      }
    }
    const found = (rows[0] << 8) | rows[1];
    return crc(found) === rows[2] ? found : null;
  }

  // What a picture is like: how colourful, how detailed, how bright.
  function look({ data, width, height }) {
    let [colour, detail, light, n] = [0, 0, 0, 0];
    for (let y = 0; y < height; y += 2) {
      for (let x = 1; x < width; x++) {
        const at = 4 * (y * width + x);
        const step = data[at + 1] - data[at - 3];
        colour += Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]);
        detail += step * step;
        light += data[at + 1];
        n++;
      }
    }
    return { colour: colour / n, detail: detail / n, light: light / n };
  }

  function frame(video, now, { mediaTime, presentedFrames }) {
    video.requestVideoFrameCallback((now, facts) => frame(video, now, facts));
    const clock = video.currentTime;
    let shown;
    try {
      // By now a later picture may be shown than the one that this call is for; a VideoFrame knows its time.
      shown = new VideoFrame(video);
    } catch (error) {
      if (error.name === "InvalidStateError") return; // the element has let go of it, as at a seek
      throw error;
    }
    const { displayWidth: width, displayHeight: height } = shown;
    if (canvas?.width !== width || canvas.height !== height) {
      canvas = new OffscreenCanvas(width, height);
      pen = canvas.getContext("2d", { willReadFrequently: true });
    }
    pen.drawImage(shown, 0, 0);
    const picture = pen.getImageData(0, 0, width, height);
    watch.frames.push({
      phase: watch.phase, number: number(picture, height / watch.height), time: shown.timestamp / 1e6, late: clock - mediaTime, now,
      presented: presentedFrames, width, height, ...look(picture),
      pace: Number.parseFloat(document.getElementById("stat-real-time")?.textContent.slice(1)),
    });
    shown.close();
  }

  // How many seconds from where the player is are there without a gap.
  function ahead({ buffered, currentTime }) {
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  // Finds where sound begins after silence, in samples of the context's clock.
  const LISTENER = `registerProcessor("listener", class extends AudioWorkletProcessor {
    quiet = sampleRate;
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

  async function listen(video) {
    const context = new AudioContext();
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([LISTENER], { type: "text/javascript" })));
    const listener = new AudioWorkletNode(context, "listener");
    listener.port.onmessage = ({ data }) => watch.onsets.push({ phase: watch.phase, at: data });
    context.createMediaElementSource(video).connect(listener);
    listener.connect(context.destination);
    watch.context = context;
    setInterval(() => {
      if (!video.paused && !video.seeking) watch.clocks.push({ phase: watch.phase, at: context.currentTime, clock: video.currentTime });
    }, 20);
  }

  /** Begins to watch. height: that of the drawn film. */
  watch.begin = async (height) => {
    watch.height = height;
    const video = document.querySelector("video");
    for (const type of EVENTS) {
      video.addEventListener(type, () => {
        watch.events.push({ phase: watch.phase, type, at: performance.now(), clock: video.currentTime, ahead: ahead(video) });
      });
    }
    video.requestVideoFrameCallback((now, facts) => frame(video, now, facts));
    await listen(video);
  };
})();
