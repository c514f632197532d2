/** What stands at the ticks of a time axis: no more than tells them apart. */

import { clockTime, dayAndMonth, exactMoment } from "../format/time";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export function tickWords(ticks: readonly number[], step: number): string[] {
  return ticks.map((at) => {
    if (step >= DAY || isMidnight(at)) return dayAndMonth(at);
    return step < MINUTE ? exactMoment(at).slice(-8) : clockTime(at);
  });
}

function isMidnight(at: number): boolean {
  const time = new Date(at);
  return time.getHours() === 0 && time.getMinutes() === 0 && time.getSeconds() === 0;
}
