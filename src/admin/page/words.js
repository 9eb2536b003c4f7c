// Keys of the API in words.

import { h } from "./dom.js";

/** Reasons of failed scrapes in words. Other reasons are shown without their underscores. */
const REASONS = {
  resolve: "host name not found",
  connect: "no connection",
  not_allowed: "not on the allow-list",
  credentials: "credentials unusable",
  tls: "no TLS connection",
  exchange: "no HTTP response",
  timeout: "timeout",
  idle: "paused too long",
  too_slow: "client too slow",
  held_bytes: "memory limit",
  status: "not status 200",
  redirect: "redirect",
  content_type: "not an exposition",
  content_encoding: "unknown encoding",
  transfer_encoding: "unknown transfer encoding",
  cut: "cut short",
  overlong: "longer than announced",
  gzip: "damaged gzip",
  rewrite: "cannot be rewritten",
  no_sample: "no samples",
  nothing_left: "all samples dropped",
};

/** A reason in words. The key, which metrics have as a label, is its tooltip. */
export const reasoned = (key) => h("span", { title: key }, REASONS[key] ?? key.replaceAll("_", " "));
