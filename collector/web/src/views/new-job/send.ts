/** Hands a job in: at once, or its payload as a file, part by part. */

import { job as lookAtJob, submitJob, uploadPart } from "../../jobs/api";
import { digestOf } from "../../jobs/sha256";
import { MOST_INLINE_BYTES } from "../../jobs/payload";
import type { JobSubmission } from "../../wire/jobs";

const PART_BYTES = 4 * 1024 * 1024;

export interface Handing {
  readonly doing: "reading" | "uploading";
  /** Bytes that are done, of so many. */
  readonly done: number;
  readonly size: number;
}

/** Called again with the same submission after a failure, it goes on where it was. */
export async function handIn(
  submission: JobSubmission,
  payload: Blob,
  onStep: (step: Handing) => void,
): Promise<string> {
  if (payload.size <= MOST_INLINE_BYTES) {
    return (await submitJob(submission, payload)).id;
  }
  const { size } = payload;
  const sha256 = await digestOf(payload, (done) => {
    onStep({ doing: "reading", done, size });
  });
  const { id } = await submitJob({ ...submission, payload_file: { size, sha256 } }, null);
  const known = (await lookAtJob(id)).files.find(({ name }) => name === "payload");
  let done = known?.received ?? 0;
  while (done < size) {
    onStep({ doing: "uploading", done, size });
    const to = Math.min(size, done + PART_BYTES);
    const { received } = await uploadPart(id, payload, done, to, sha256);
    if (received <= done) throw new Error("The collector did not take this part. Try again.");
    done = received;
  }
  return id;
}

/** A job's id is made here, so that what was sent twice is one job. */
export function newJobId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const digits = Array.from(bytes, (byte, place) => {
    const value = place === 6 ? (byte & 0x0f) | 0x40 : place === 8 ? (byte & 0x3f) | 0x80 : byte;
    return value.toString(16).padStart(2, "0");
  }).join("");
  return [8, 12, 16, 20, 32]
    .map((end, place) => digits.slice([0, 8, 12, 16, 20][place], end))
    .join("-");
}
