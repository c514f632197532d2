/**
 * Reads JSON into types, refusing what does not fit.
 *
 * A reader takes an unknown value and the path it was found at, and returns the typed value or
 * throws Malformed naming that path. What a message has beyond what we read is ignored: a newer
 * collector may say more.
 */

import { plain, plainLines } from "./text";

export class Malformed extends Error {
  override name = "Malformed";

  constructor(path: string, wanted: string) {
    super(`${path || "the message"} should be ${wanted}`);
  }
}

export type Reader<T> = (value: unknown, path: string) => T;

/** Whatever was written by people or machines elsewhere: cleaned here, once, at the border. */
export const text: Reader<string> = (value, path) => plain(exact(value, path));

/** The same of several lines. */
export const logText: Reader<string> = (value, path) => plainLines(exact(value, path));

/** A string that must stay exactly as it is: an id, a token, a code. Never shown uncleaned. */
export const exact: Reader<string> = (value, path) => {
  if (typeof value !== "string") throw new Malformed(path, "a string");
  return value;
};

/** A string that stays as it is, and has this form. */
export function matching(form: RegExp, wanted: string): Reader<string> {
  return (value, path) => {
    if (typeof value !== "string" || !form.test(value)) throw new Malformed(path, wanted);
    return value;
  };
}

export const number: Reader<number> = (value, path) => {
  if (typeof value !== "number") throw new Malformed(path, "a number");
  return value;
};

export const boolean: Reader<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new Malformed(path, "true or false");
  return value;
};

export function oneOf<const T extends string>(...options: readonly T[]): Reader<T> {
  return (value, path) => {
    const found = options.find((option) => option === value);
    if (found === undefined) throw new Malformed(path, `one of ${options.join(", ")}`);
    return found;
  };
}

/** Any JSON, as it came: somebody's payload or result. Never shown uncleaned. */
export const anything: Reader<unknown> = (value) => value;

export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null ? null : reader(value, path));
}

/** For fields that the sender may leave out. */
export function defaulting<T>(reader: Reader<T>, fallback: T): Reader<T> {
  return (value, path) => (value === undefined ? fallback : reader(value, path));
}

export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Malformed(path, "a list");
    return value.map((entry, index) => item(entry, `${path}[${index}]`));
  };
}

/** A JSON object with any keys. A Map, so that no key can be mistaken for a property. */
export function mapping<T>(item: Reader<T>): Reader<ReadonlyMap<string, T>> {
  return (value, path) => {
    const read = new Map<string, T>();
    for (const [key, entry] of Object.entries(object(value, path))) {
      read.set(key, item(entry, `${path}.${key}`));
    }
    return read;
  };
}

export function record<T extends object>(fields: {
  readonly [K in keyof T]: Reader<T[K]>;
}): Reader<T> {
  const keys = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const source = object(value, path);
    const read: Partial<T> = {};
    for (const key of keys) read[key] = fields[key](source[key], path ? `${path}.${key}` : key);
    return read as T;
  };
}

function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(path, "an object");
  }
  return value as Record<string, unknown>;
}

export function parse<T>(reader: Reader<T>, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Malformed("", "JSON");
  }
  return reader(value, "");
}
