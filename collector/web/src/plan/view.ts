/** The stretch of a plan that is looked at: zooming, moving, and where a time stands. */

export interface View {
  readonly from: number;
  readonly to: number;
}

/** Nobody needs to see less than a few units, or than this share of it all. */
const FINEST = 1 / 50_000;
const FEW_UNITS = 4;

export function zoomed(view: View, by: number, at: number, whole: View): View {
  const least = Math.max(FEW_UNITS, (whole.to - whole.from) * FINEST);
  const length = Math.max(least, (view.to - view.from) / by);
  const share = (at - view.from) / (view.to - view.from);
  return within({ from: at - share * length, to: at + (1 - share) * length }, whole);
}

/** Moves by a share of what is seen. */
export function moved(view: View, by: number, whole: View): View {
  const step = (view.to - view.from) * by;
  return within({ from: view.from + step, to: view.to + step }, whole);
}

/** Moves no further than needed to show this stretch, or its beginning where it is longer. */
export function showing(view: View, from: number, to: number, whole: View): View {
  const length = view.to - view.from;
  const edge = length * 0.05;
  if (to - from + 2 * edge > length) {
    return from < view.from || from > view.to - edge
      ? within({ from: from - edge, to: from - edge + length }, whole)
      : view;
  }
  if (from < view.from) return within({ from: from - edge, to: from - edge + length }, whole);
  if (to > view.to) return within({ from: to + edge - length, to: to + edge }, whole);
  return view;
}

/** As much of the whole as can be had, and nothing beside it. */
export function within(view: View, whole: View): View {
  const length = Math.min(view.to - view.from, whole.to - whole.from);
  const from = Math.min(Math.max(view.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

export function isWhole(view: View, whole: View): boolean {
  return view.from <= whole.from && view.to >= whole.to;
}

const STEPS = [1, 2, 2.5, 5] as const;
const TICK_PX = 68;

/** Round times for an axis that is so wide. */
export function ticksOf(view: View, widthPx: number): readonly number[] {
  const wanted = ((view.to - view.from) * TICK_PX) / Math.max(1, widthPx);
  let unit = 10 ** Math.floor(Math.log10(Math.max(1, wanted)));
  // Times of a plan are whole.
  const steps = STEPS.map((each) => each * unit).filter(Number.isInteger);
  let step = steps.find((each) => each >= wanted);
  if (step === undefined) {
    unit *= 10;
    step = unit;
  }
  const ticks: number[] = [];
  for (let tick = Math.ceil(view.from / step) * step; tick <= view.to; tick += step) ticks.push(tick);
  return ticks;
}
