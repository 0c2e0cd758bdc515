// Times as people say them.
import { text } from "./text.ts";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", hour12: false });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** ago says how long something is past; times are milliseconds since 1970. */
export function ago(at: number, now = Date.now()): string {
  const past = now - at;
  if (past < MINUTE) return text.time.now;
  if (past < HOUR) return relative.format(-Math.floor(past / MINUTE), "minute");
  if (past < DAY) return relative.format(-Math.floor(past / HOUR), "hour");
  if (past < 14 * DAY) return relative.format(-Math.floor(past / DAY), "day");
  return day.format(at);
}

export function clockTime(at: number): string { return clock.format(at); }

export function fullTime(at: number): string { return full.format(at); }

/** dayName names a day: today, yesterday, or its date. */
export function dayName(at: number, now = Date.now()): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (at >= midnight) return text.history.today;
  if (at >= midnight - DAY) return text.history.yesterday;
  return day.format(at);
}
