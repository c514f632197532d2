/** Whether something is in the window or close to it: what is not need not be drawn. */

import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

const MARGIN_PX = 240;

export function useInSight(box: RefObject<HTMLElement | null>): boolean {
  const [inSight, setInSight] = useState(false);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    // The observer speaks a picture later: too late for what is there at once.
    const { top, bottom } = element.getBoundingClientRect();
    if (top < innerHeight && bottom > 0) setInSight(true);
    const observer = new IntersectionObserver(
      (entries) => {
        setInSight(entries.at(-1)?.isIntersecting ?? false);
      },
      { rootMargin: `${MARGIN_PX}px` },
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [box]);
  return inSight;
}
