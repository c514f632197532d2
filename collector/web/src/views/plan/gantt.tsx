/**
 * The chart of a plan: machines by time, on one canvas that is no larger than what is seen of it.
 * It is moved and zoomed with the pointer, two fingers or the keys; the bar that is pointed at, or
 * gone to with the arrows, is told in words beside it.
 */

import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { paletteOf } from "../../charts/palette";
import { pictureOf } from "../../charts/picture";
import { laneTop, placeAt, stepped, type Place, type Step } from "../../plan/find";
import type { Layout } from "../../plan/layout";
import { isWhole, moved, showing, zoomed, type View } from "../../plan/view";
import { taskName, taskWords, timeWords } from "../../plan/words";
import { theme } from "../../theme";
import { save } from "../../ui/download";
import { Icon } from "../../ui/icons";
import { Untrusted } from "../../ui/untrusted";
import { AXIS_PX, drawPlan } from "./draw";
import { usePointers } from "./use-pointers";

interface GanttProps {
  readonly layout: Layout;
  readonly unit: string;
  readonly picked: string | null;
  readonly onPick: (job: string | null) => void;
  readonly name: string;
  readonly summary: string;
}

const ZOOM = 1.5;
const PAN = 0.2;
const SLACK_PX = 4;
const LABELS_PX = 148;
const NARROW_LABELS_PX = 92;
const NARROW_PX = 620;

interface Size {
  readonly width: number;
  readonly height: number;
}

export function Gantt({ layout, unit, picked, onPick, name, summary }: GanttProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const figure = useRef<HTMLElement>(null);
  const whole = useMemo((): View => {
    // A little room, so that the last badge of a late job fits.
    const length = layout.to - layout.from;
    return { from: layout.from, to: layout.to + length * 0.04 };
  }, [layout]);
  const [view, setView] = useState(whole);
  const [pointed, setPointed] = useState<Place | null>(null);
  const [isKeyed, setKeyed] = useState(false);
  const [scrolled, setScrolled] = useState(0);
  const size = useSize(box);
  const labels = size.width < NARROW_PX ? NARROW_LABELS_PX : LABELS_PX;
  const colours = theme.value;
  useEffect(() => {
    setView(whole);
    setPointed(null);
  }, [whole]);

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || size.width === 0) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (element.width !== width) element.width = width;
    if (element.height !== height) element.height = height;
    const pen = element.getContext("2d");
    if (!pen) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const palette = paletteOf(element);
    drawPlan(pen, { layout, unit, view, ...size, labels, scrolled, palette, pointed, picked });
  }, [layout, unit, view, size, labels, scrolled, colours, pointed, picked]);

  const timeAt = useCallback(
    (x: number) =>
      view.from + ((x - labels) / Math.max(1, size.width - labels)) * (view.to - view.from),
    [view, labels, size.width],
  );
  const perPx = (view.to - view.from) / Math.max(1, size.width - labels);

  usePointers(canvas, {
    onZoom: (by, x) => {
      setView((before) => zoomed(before, by, timeAt(x), whole));
    },
    onDrag: (dx, dy) => {
      setView((before) => moved(before, (-dx * perPx) / (before.to - before.from), whole));
      if (dy !== 0) box.current?.scrollBy(0, -dy);
    },
    onPoint: (x, y) => {
      setKeyed(false);
      const isInside = x > labels && y > AXIS_PX;
      setPointed(isInside ? placeAt(layout, timeAt(x), y - AXIS_PX + scrolled, SLACK_PX * perPx) : null);
    },
    onLeave: () => {
      if (!isKeyed) setPointed(null);
    },
    onClick: (x, y) => {
      const place = placeAt(layout, timeAt(x), y - AXIS_PX + scrolled, SLACK_PX * perPx);
      const job = x > labels && y > AXIS_PX ? (place?.bar.task.job ?? null) : null;
      onPick(job === picked ? null : job);
    },
  });

  const goTo = (step: Step) => {
    const place = stepped(layout, pointed, step);
    if (!place) return;
    setKeyed(true);
    setPointed(place);
    setView((before) => showing(before, place.bar.from, place.bar.end, whole));
    scrollTo(box.current, layout, place);
  };
  const zoom = (by: number) => {
    setView((before) => {
      const { from, end } = pointed?.bar ?? { from: before.from, end: before.to };
      const middle = (from + end) / 2;
      const isSeen = middle > before.from && middle < before.to;
      return zoomed(before, by, isSeen ? middle : (before.from + before.to) / 2, whole);
    });
  };
  const zoomIn = () => {
    zoom(ZOOM);
  };
  const zoomOut = () => {
    zoom(1 / ZOOM);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && event.key === "ArrowLeft") setView((v) => moved(v, -PAN, whole));
    else if (event.shiftKey && event.key === "ArrowRight") setView((v) => moved(v, PAN, whole));
    else if (event.key in STEPS) goTo(STEPS[event.key as keyof typeof STEPS]);
    else if (event.key === "+" || event.key === "=") zoomIn();
    else if (event.key === "-") zoomOut();
    else if (event.key === "0") setView(whole);
    else if (event.key === "Enter" || event.key === " ") {
      const job = pointed?.bar.task.job ?? null;
      onPick(job === picked ? null : job);
    } else if (event.key === "Escape" && (pointed || picked !== null)) {
      setPointed(null);
      onPick(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const row = pointed ? layout.rows[pointed.row] : undefined;
  const words =
    pointed && row
      ? taskWords(pointed.bar.task, layout.jobs.get(pointed.bar.task.job)?.job, row.name, unit)
      : "";
  return (
    <figure ref={figure} class="gantt">
      <div class="gantt-tools">
        <span class="hint gantt-hint">
          <span class="gantt-keys">
            Drag to move, Ctrl and wheel to zoom; with the keys: arrows, + and −, 0 for all
          </span>
          <span class="gantt-touch">Tap a task; drag to move, two fingers to zoom</span>
        </span>
        <ToolButton what="Zoom out (−)" icon="minus" onClick={zoomOut} />
        <ToolButton what="Zoom in (+)" icon="plus" onClick={zoomIn} />
        <ToolButton
          what="All of it (0)"
          icon="fit"
          isOff={isWhole(view, whole)}
          onClick={() => {
            setView(whole);
          }}
        />
        <ToolButton
          what="Save as PNG"
          icon="image"
          onClick={() => {
            savePicture(canvas.current, figure.current, name);
          }}
        />
      </div>
      <div class="gantt-sight">
        <div
          ref={box}
          class="gantt-box"
          tabIndex={0}
          role="application"
          aria-roledescription="plan chart"
          aria-label={`Plan: ${summary}. Arrows go from task to task.`}
          onKeyDown={onKeyDown}
          onScroll={(event) => {
            setScrolled(event.currentTarget.scrollTop);
          }}
        >
          <div class="gantt-sheet" style={{ height: `${layout.height + AXIS_PX}px` }}>
            <canvas
              ref={canvas}
              style={{ width: `${size.width}px`, height: `${size.height}px` }}
              data-from={Math.round(view.from)}
              data-to={Math.round(view.to)}
            />
          </div>
        </div>
        {pointed && row && (
          <Tip
            layout={layout}
            place={pointed}
            unit={unit}
            left={labels + (pointed.bar.task.start - view.from) / perPx}
            top={AXIS_PX + row.top + laneTop(row, pointed.bar.lane) - scrolled}
            size={size}
          />
        )}
      </div>
      <p class="unseen" role="status" aria-live="polite">
        {isKeyed ? words : ""}
      </p>
    </figure>
  );
}

const STEPS = {
  ArrowLeft: "before",
  ArrowRight: "after",
  ArrowUp: "above",
  ArrowDown: "below",
  Home: "first",
  End: "last",
} as const satisfies Record<string, Step>;

interface ToolButtonProps {
  readonly what: string;
  readonly icon: Parameters<typeof Icon>[0]["name"];
  readonly isOff?: boolean;
  readonly onClick: () => void;
}

function ToolButton({ what, icon, isOff, onClick }: ToolButtonProps) {
  return (
    <button
      type="button"
      class="button-icon"
      aria-label={what}
      title={what}
      disabled={isOff}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

interface TipProps {
  readonly layout: Layout;
  readonly place: Place;
  readonly unit: string;
  readonly left: number;
  readonly top: number;
  readonly size: Size;
}

const TIP_PX = 240;
const TIP_HEIGHT_PX = 150;

function Tip({ layout, place, unit, left, top, size }: TipProps) {
  const { task } = place.bar;
  const job = layout.jobs.get(task.job)?.job;
  const row = layout.rows[place.row];
  const isAbove = top + 30 + TIP_HEIGHT_PX > size.height && top > TIP_HEIGHT_PX;
  const lines: readonly (readonly [string, string])[] = [
    ["On", row?.name ?? ""],
    ["Time", `${timeWords(task.start, "")} – ${timeWords(task.end, unit)}`],
    ["Takes", timeWords(task.end - task.start, unit)],
    ["Set-up", task.setup > 0 ? timeWords(task.setup, unit) : ""],
    ["Job due", job?.due === null || job === undefined ? "" : timeWords(job.due, unit)],
    ["Job late", job && job.tardiness > 0 ? `+${timeWords(job.tardiness, unit)}` : ""],
  ];
  const x = Math.max(4, Math.min(left, size.width - TIP_PX - 4));
  const y = isAbove ? top - 6 : top + 30;
  return (
    <div
      class={isAbove ? "gantt-tip is-above" : "gantt-tip"}
      aria-hidden="true"
      style={{ transform: `translate(${x.toFixed(0)}px, ${y.toFixed(0)}px)` }}
    >
      <div>
        <strong>
          <Untrusted text={taskName(task, job)} />
        </strong>
        <dl>
          {lines
            .filter(([, words]) => words)
            .map(([label, words]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>
                  <Untrusted text={words} />
                </dd>
              </div>
            ))}
        </dl>
      </div>
    </div>
  );
}

function useSize(box: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      const { clientWidth: width, clientHeight: height } = element;
      setSize((before) =>
        before.width === width && before.height === height ? before : { width, height },
      );
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [box]);
  return size;
}

function scrollTo(box: HTMLElement | null, layout: Layout, place: Place): void {
  const row = layout.rows[place.row];
  if (!box || !row) return;
  const seen = box.clientHeight - AXIS_PX;
  if (row.top < box.scrollTop) box.scrollTop = row.top;
  else if (row.top + row.height > box.scrollTop + seen) box.scrollTop = row.top + row.height - seen;
}

function savePicture(drawn: HTMLCanvasElement | null, figure: HTMLElement | null, name: string): void {
  if (!drawn || !figure) return;
  const title = name.replace(/\.json$/, "");
  pictureOf(drawn, figure, title).toBlob((blob) => {
    if (blob) save(blob, `${title}.png`);
  });
}
