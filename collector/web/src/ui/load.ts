/** Something that is fetched: it loads, it failed, or it is there. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { reasonOf } from "../reason";

export type Loaded<T> =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly reason: string }
  | { readonly state: "ready"; readonly value: T };

/** Fetches once, and again on `reload`; a reload keeps what was there until the new is. */
export function useLoaded<T>(fetchIt: () => Promise<T>): [Loaded<T>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: "loading" });
  const latest = useRef(0);
  const reload = useCallback(() => {
    const turn = ++latest.current;
    fetchIt().then(
      (value) => {
        if (turn === latest.current) setLoaded({ state: "ready", value });
      },
      (error: unknown) => {
        if (turn === latest.current) setLoaded({ state: "failed", reason: reasonOf(error) });
      },
    );
  }, [fetchIt]);
  useEffect(() => {
    setLoaded({ state: "loading" });
    reload();
    return () => {
      latest.current += 1;
    };
  }, [reload]);
  return [loaded, reload];
}
