/** Mouse, touch and wheel on a drawing: dragging, pinching, pointing, clicking. */

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Pointers {
  readonly onZoom: (by: number, x: number) => void;
  readonly onDrag: (dx: number, dy: number) => void;
  readonly onPoint: (x: number, y: number) => void;
  readonly onLeave: () => void;
  readonly onClick: (x: number, y: number) => void;
}

interface Spot {
  readonly x: number;
  readonly y: number;
}

/** A hand that means to click moves a little. */
const STILL_PX = 4;
const WHEEL_ZOOM = 0.0022;
const LINE_PX = 16;

export function usePointers(drawing: RefObject<HTMLElement | null>, pointers: Pointers): void {
  const latest = useRef(pointers);
  latest.current = pointers;
  useEffect(() => {
    const element = drawing.current;
    if (!element) return;
    const down = new Map<number, Spot>();
    let travelled = 0;
    const spotOf = (event: PointerEvent | WheelEvent): Spot => ({ x: event.offsetX, y: event.offsetY });

    const onDown = (event: PointerEvent) => {
      if (event.button !== 0) return;
      if (down.size === 0) travelled = 0;
      down.set(event.pointerId, spotOf(event));
      element.setPointerCapture(event.pointerId);
    };
    const onMove = (event: PointerEvent) => {
      const spot = spotOf(event);
      const before = down.get(event.pointerId);
      if (!before) {
        if (event.pointerType !== "touch") latest.current.onPoint(spot.x, spot.y);
        return;
      }
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
      down.set(event.pointerId, spot);
      travelled += Math.hypot(spot.x - before.x, spot.y - before.y);
      if (other) {
        const apart = Math.max(8, Math.abs(before.x - other.x));
        const now = Math.max(8, Math.abs(spot.x - other.x));
        latest.current.onZoom(now / apart, (spot.x + other.x) / 2);
      } else if (travelled > STILL_PX) {
        // On a screen that is touched the page itself goes up and down.
        const dy = event.pointerType === "touch" ? 0 : spot.y - before.y;
        latest.current.onDrag(spot.x - before.x, dy);
      }
    };
    const onUp = (event: PointerEvent) => {
      if (!down.delete(event.pointerId)) return;
      const spot = spotOf(event);
      if (event.type !== "pointerup" || travelled > STILL_PX || down.size > 0) return;
      latest.current.onClick(spot.x, spot.y);
      latest.current.onPoint(spot.x, spot.y);
    };
    const onWheel = (event: WheelEvent) => {
      const scale = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      // A trackpad's pinch comes as a wheel with Ctrl. Alone, the wheel is the page's.
      if (event.ctrlKey || event.metaKey) {
        latest.current.onZoom(Math.exp(-event.deltaY * scale * WHEEL_ZOOM), event.offsetX);
      } else if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
        latest.current.onDrag(-sideways * scale, 0);
      } else return;
      event.preventDefault();
    };
    const onLeave = (event: PointerEvent) => {
      // A finger that is lifted has not gone elsewhere: what it tapped stays told.
      if (event.pointerType !== "touch") latest.current.onLeave();
    };
    element.addEventListener("pointerdown", onDown);
    element.addEventListener("pointermove", onMove);
    element.addEventListener("pointerup", onUp);
    element.addEventListener("pointercancel", onUp);
    element.addEventListener("pointerleave", onLeave);
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      element.removeEventListener("pointerdown", onDown);
      element.removeEventListener("pointermove", onMove);
      element.removeEventListener("pointerup", onUp);
      element.removeEventListener("pointercancel", onUp);
      element.removeEventListener("pointerleave", onLeave);
      element.removeEventListener("wheel", onWheel);
    };
  }, [drawing]);
}
