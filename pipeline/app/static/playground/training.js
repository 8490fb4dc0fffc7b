// The line to the server: orders go out, frames and words come in.

import { connect, notice } from "../lib.js";

export class Training {
  /** `on`: {open, frame, points, changed, file}. */
  constructor(on) { this.on = on; this.begun = 0; this.open(); }

  open() {
    this.begun = 0; // runs that were begun here and not yet there
    this.socket = connect("/playground/train");
    this.socket.addEventListener("open", () => this.on.open());
    this.socket.addEventListener("message", ({ data }) => (typeof data === "string" ? this.words(JSON.parse(data)) : this.frame(data)));
    this.socket.addEventListener("close", ({ reason }) => {
      notice(reason || "The line to the server is cut. Trying again …", { error: true });
      setTimeout(() => this.open(), 2000);
    });
  }

  /** Whether there was a line to send it over. */
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    if (message.settings) this.begun++;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  words(told) {
    if (told.error) notice(told.error, { error: true });
    if (told.points) { this.begun--; this.on.points(told); }
    if (told.changed && !this.begun) this.on.changed(told.changed);
    if (told.file) this.on.file(told.file, told.text);
  }

  /** The parts stand as in pipeline/app/play/session.py, `draw`. The next frame is asked for when this one was shown. */
  frame(data) {
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.on.frame(header, data.slice(4 + length));
    requestAnimationFrame(() => this.send({ seen: header.frame }));
  }
}
