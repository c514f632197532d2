/** The streams beside the fleet's, by what they are of. */

import { readJob, readJobsFrame, type JobsFrame } from "../wire/jobs";
import { readPoint, type Point } from "../wire/messages";
import type { Reader } from "../wire/read";
import { Channel, type Memory } from "./channel";
import type { Connection, WatchState } from "./protocol";
import type { News, Topic } from "./topics";

export type TopicChannel = Pick<Channel<News>, "join" | "leave" | "retry" | "close">;

export function topicChannel(topic: Topic): TopicChannel {
  if (topic === "jobs") {
    const path = "/api/jobs/events";
    return channelOf(topic, { path, event: "jobs", read: readJobsFrame }, new JobCounts());
  }
  const mark = topic.indexOf("/");
  const id = encodeURIComponent(topic.slice(mark + 1));
  if (topic.startsWith("job/")) {
    const path = `/api/jobs/events?id=${id}`;
    return channelOf(topic, { path, event: "job", read: readJob }, new Latest());
  }
  // While it is open its agent pushes every second.
  const path = `/api/nodes/${id}/events`;
  return channelOf(topic, { path, event: "snapshot", read: readPoint }, new Latest<Point>());
}

interface TopicSource<T> {
  readonly path: string;
  readonly event: string;
  readonly read: Reader<T>;
}

function channelOf<T extends News>(
  topic: Topic,
  source: TopicSource<T>,
  memory: Memory<T>,
): TopicChannel {
  return new Channel(source, memory, {
    event: (news) => ({ kind: "news", topic, news }),
    connection: (connection) => {
      const state = stateOf(connection);
      return state && { kind: "topic", topic, state };
    },
  });
}

class Latest<T> implements Memory<T> {
  #latest: T | null = null;

  take(event: T): void {
    this.#latest = event;
  }

  forget(): void {
    this.#latest = null;
  }

  recall(): T | null {
    return this.#latest;
  }
}

/** A tab that comes later hears how many jobs there are, and asks for those that it shows. */
class JobCounts extends Latest<JobsFrame> {
  override recall(): JobsFrame | null {
    const latest = super.recall();
    return latest && { ...latest, jobs: [], gone: [], reload: true };
  }
}

/** null: not known yet. */
function stateOf(connection: Connection): WatchState | null {
  if (connection.state === "connecting") return null;
  if (connection.state === "lost" && connection.isMissing) return "missing";
  return connection.state === "live" ? "open" : "lost";
}
