/**
 * Reads a stream of server-sent events from text as it comes.
 *
 * We read the stream with fetch and not with EventSource, because fetch tells a 401 from a broken
 * line and shows the heartbeats, so that a connection that died silently is noticed.
 */

export interface SseEvent {
  readonly event: string;
  readonly data: string;
  /** The last id seen, to be sent back as Last-Event-ID. */
  readonly id: string;
}

export class SseReader {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id = "";

  /** Takes the next piece of the stream and returns the events that it completes. */
  push(piece: string): readonly SseEvent[] {
    const events: SseEvent[] = [];
    // A trailing CR may be half of a CRLF whose LF is still to come: leave it for then.
    const text = this.#rest + piece;
    const ready = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = ready.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(ready.length);
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): SseEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null; // a line that begins with a colon is a comment: a heartbeat
  }

  #dispatch(): SseEvent | null {
    const event = this.#event || "message";
    const data = this.#data;
    this.#event = "";
    this.#data = [];
    return data.length === 0 ? null : { event, data: data.join("\n"), id: this.#id };
  }
}
