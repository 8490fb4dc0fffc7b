// The websocket to the training process: messages out, frames and JSON in.

import { clearNotice, connect, notice } from "../lib.js";

const CONNECTION = "connection", RUN = "run"; // sources of notices

export class Training {
  /** `handlers`: {open, frame, points, changed, trace, starts, file}. */
  constructor(handlers) { this.handlers = handlers; this.open(); }

  open() {
    this.pendingRestarts = 0; // restarts that were sent and not confirmed yet
    this.socket = connect("/playground/train");
    this.socket.addEventListener("open", () => { clearNotice(CONNECTION); this.handlers.open(); });
    this.socket.addEventListener("message", ({ data }) => (typeof data === "string" ? this.receive(JSON.parse(data)) : this.frame(data)));
    this.socket.addEventListener("close", ({ reason }) => {
      notice(reason || "The connection to the server is lost. Reconnecting …", { error: true, source: CONNECTION });
      setTimeout(() => this.open(), 2000);
    });
  }

  /** Whether the message could be sent. */
  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    if (message.settings) this.pendingRestarts++;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  receive(message) {
    if (message.error) notice(message.error, { error: true, source: RUN });
    if (message.points) { this.pendingRestarts--; clearNotice(RUN); this.handlers.points(message); }
    if (message.changed && !this.pendingRestarts) this.handlers.changed(message.changed);
    if (message.trace) { clearNotice(RUN); this.handlers.trace(message.trace); }
    if (message.starts) { clearNotice(RUN); this.handlers.starts(message.starts); }
    if (message.file) this.handlers.file(message.file, message.text);
  }

  /** The layout of a frame is that of `send_frame` in pipeline/app/play/session.py. */
  frame(data) {
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.handlers.frame(header, data.slice(4 + length));
    requestAnimationFrame(() => this.send({ drawn: header.frame }));
  }
}
