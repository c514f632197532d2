/** The History message: a stretch of a machine's past as columns. */

import { exact, Malformed, number, record, type Reader } from "./read";

/** One number a place in time; null: nothing was measured. */
export type Column = readonly (number | null)[];

export interface Track {
  readonly avg: Column;
  readonly min: Column;
  readonly max: Column;
}

export interface History {
  readonly node_id: string;
  readonly from: number;
  readonly to: number;
  /** 1: every snapshot stands for itself. Otherwise `ts` is where a bucket of this length begins. */
  readonly step_ms: number;
  readonly ts: readonly number[];
  readonly series: ReadonlyMap<string, Track>;
}

/** Checked in place and not copied: a machine with 256 cores sends some 300,000 numbers. */
const column: Reader<Column> = (value, path) => {
  if (!Array.isArray(value)) throw new Malformed(path, "a list");
  for (const entry of value as readonly unknown[]) {
    if (entry !== null && typeof entry !== "number") throw new Malformed(path, "a list of numbers");
  }
  return value as Column;
};

const times: Reader<readonly number[]> = (value, path) => {
  const read = column(value, path);
  if (read.includes(null)) throw new Malformed(path, "a list of times");
  return read as readonly number[];
};

const readTrack = record<Track>({ avg: column, min: column, max: column });

const readSeries: Reader<ReadonlyMap<string, Track>> = (value, path) => {
  if (typeof value !== "object" || value === null) throw new Malformed(path, "an object");
  return new Map(
    Object.entries(value).map(([key, track]) => [key, readTrack(track, `${path}.${key}`)]),
  );
};

export const readHistory: Reader<History> = record<History>({
  node_id: exact,
  from: number,
  to: number,
  step_ms: number,
  ts: times,
  series: readSeries,
});
