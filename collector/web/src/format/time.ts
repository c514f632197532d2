/** Times and spans for people, in the reader's own time zone. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span in its largest unit: 5 s, 12 min, 3 h, 4 d. */
export function span(ms: number): string {
  const length = Math.max(0, ms);
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`;
  if (length < HOUR) return `${Math.floor(length / MINUTE)} min`;
  if (length < 2 * DAY) return `${Math.floor(length / HOUR)} h`;
  return `${Math.floor(length / DAY)} d`;
}

/** A span in two units, for where there is room: 3 d 4 h, 2 h 5 min. */
export function longSpan(ms: number): string {
  const length = Math.max(0, ms);
  if (length < MINUTE) return span(length);
  const [unit, next] =
    length < HOUR ? [MINUTE, SECOND] : length < DAY ? [HOUR, MINUTE] : [DAY, HOUR];
  const rest = Math.floor((length % unit) / next);
  const names: Record<number, string> = { [SECOND]: "s", [MINUTE]: "min", [HOUR]: "h", [DAY]: "d" };
  const whole = `${Math.floor(length / unit)} ${names[unit] ?? ""}`;
  return rest === 0 ? whole : `${whole} ${rest} ${names[next] ?? ""}`;
}

/** When it was, as short as it can be said: 14:02, 21 Nov 14:02, 21 Nov 2025. */
export function moment(at: number, now: number): string {
  const then = new Date(at);
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return clockTime(at);
  const day = dayAndMonth(at);
  if (then.getFullYear() === today.getFullYear()) return `${day} ${clockTime(at)}`;
  return `${day} ${then.getFullYear()}`;
}

export function dayAndMonth(at: number): string {
  const then = new Date(at);
  return `${then.getDate()} ${MONTHS[then.getMonth()] ?? ""}`;
}

export function clockTime(at: number): string {
  const then = new Date(at);
  return `${two(then.getHours())}:${two(then.getMinutes())}`;
}

export function exactMoment(at: number): string {
  const then = new Date(at);
  const day = `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
  return `${day} ${clockTime(at)}:${two(then.getSeconds())}`;
}

/** "clock is 3 h behind": the offset is the collector's clock minus the machine's. */
export function clockError(offsetMs: number): string {
  return `clock is ${span(Math.abs(offsetMs))} ${offsetMs > 0 ? "behind" : "ahead"}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
