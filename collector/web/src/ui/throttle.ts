/** A figure derived from the stream that changes at the pace of a reader, not of the stream. */

import { effect, signal, type ReadonlySignal } from "@preact/signals";

/** Follows `source` at once, and then at most once in `everyMs`. */
export function throttled<T, U>(
  source: ReadonlySignal<T>,
  derive: (value: T) => U,
  everyMs: number,
): ReadonlySignal<U> {
  const derived = signal(derive(source.peek()));
  let due = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const follow = () => {
    timer = undefined;
    due = performance.now() + everyMs;
    derived.value = derive(source.peek());
  };
  effect(() => {
    const empty = source.value === null;
    if (timer !== undefined && !empty) return;
    clearTimeout(timer);
    const wait = due - performance.now();
    if (wait <= 0 || empty || derived.peek() === null) follow();
    else timer = setTimeout(follow, wait);
  });
  return derived;
}
