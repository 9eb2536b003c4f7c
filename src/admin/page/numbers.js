// Numbers, sizes and times for people.

import { h } from "./dom.js";

export const count = (n) => n.toLocaleString("en", { maximumFractionDigits: 0 }).replaceAll(",", "\u202f");

export function bytes(n) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024 || unit === "GiB") return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)}\u202f${unit}`;
    n /= 1024;
  }
}

export function span(seconds) {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)}\u202fµs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)}\u202fms`;
  if (seconds < 60) return `${seconds < 10 && seconds % 1 ? seconds.toFixed(1) : Math.round(seconds)}\u202fs`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}\u202fmin`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}\u202fh ${minutes % 60}\u202fmin` : `${Math.floor(hours / 24)}\u202fdays`;
}

/** The gateway's clock minus the browser's, in seconds. */
let skew = 0;

export function setSkew(seconds) {
  skew = seconds;
}

/** Seconds since 1970 on the gateway's clock. */
export const gatewayNow = () => Date.now() / 1000 + skew;

export function sinceThen(at) {
  const seconds = Math.max(0, gatewayNow() - at);
  return seconds < 1 ? "just now" : `${span(Math.floor(seconds))} ago`;
}

export const ago = (at) => h("time", { title: new Date(at * 1000).toISOString(), "data-at": at }, sinceThen(at));

export const perSecond = (n) => (n >= 10 || n === 0 ? count(n) : n.toFixed(1));

/** A fraction as a percentage with two significant digits. */
export const percent = (part) => `${Number((part * 100).toPrecision(2))} %`;
