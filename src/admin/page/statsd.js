// Listeners and sinks of StatsD lines.

import { ask } from "./api.js";
import { $, h, pill, spaced, table, text } from "./dom.js";
import { ago, bytes, count, gatewayNow, perSecond } from "./numbers.js";
import { reasoned } from "./words.js";

let before = null;

/** Rates begin anew. */
export function forget() {
  before = null;
}

/** The rate of a counter since the last refresh. */
function rate(group, address, name, now, at) {
  const its = before?.[group].find((other) => other.address === address)?.counts[name];
  return its == null || at <= before.at ? null : Math.max(0, (now - its) / (at - before.at));
}

const total = (counts) => (counts && typeof counts === "object" ? Object.values(counts).reduce((sum, n) => sum + total(n), 0) : (counts ?? 0));

const byReason = (counts) => {
  const some = Object.entries(counts ?? {}).filter(([, n]) => total(n) > 0);
  return some.length ? some.map(([reason, n]) => h("div", null, reasoned(reason), " ", h("b", null, count(total(n))))) : text("span", "soft", "none");
};

/**
 * Counts of a listener by emitted generation, each shown by `one`. A listener rewrites a line once for
 * each generation that its sinks emit, so the sum over them could exceed the number of lines.
 */
function byGeneration(counts, one) {
  const each = Object.entries(counts ?? {});
  if (each.length < 2) return one(each[0]?.[1]);
  return each.map(([emit, its]) => h("div", null, pill(emit), " ", one(its)));
}

/** A table that scrolls sideways if the window is narrow. */
const wide = (label, table) => h("div", { class: "panel", tabindex: 0, role: "region", "aria-label": label }, table);

/** The packs of a listener or sink, if it has its own. */
const packs = (its) => (its.packs ? its.packs.map((name) => h("div", null, h("code", null, name))) : text("span", "soft", "those of statsd.packs"));

/** A sink that failed this recently is failing, even if it has been sent to since. In seconds. */
const RECENT = 10;

/** The state of a sink in words, and its last success and failure. */
function sinkState({ last_sent: sent, last_failed: failed }, now) {
  const failing = failed && (sent == null || failed.at >= sent || now - failed.at < RECENT);
  return text("span", "states", spaced(
    failing ? pill("failing", "bad") : sent == null ? pill("nothing sent yet", "none") : pill("ok", "good"),
    failing && text("span", "reason", reasoned(failed.reason)),
    sent != null && text("span", "soft", "last sent ", ago(sent)),
    failed && text("span", "soft", "last failure ", ago(failed.at), !failing && [": ", reasoned(failed.reason)])));
}

export async function drawStatsd() {
  const now = await ask("api/statsd");
  now.at = Date.now() / 1000;
  const speed = (group, its, name) => {
    const value = rate(group, its.address, name, its.counts[name] ?? 0, now.at);
    return value == null ? "…" : perSecond(value);
  };
  const number = (text) => ({ text, number: true });
  $("listeners").replaceChildren(!now.listeners.length
    ? text("p", "note", "No listeners. Set ", h("code", null, "statsd.listen:"), " in the settings.")
    : wide("Listeners", table(
      [{ text: "Address" }, { text: "Emits" }, { text: "Packs" }, number("Lines/s"), number("Lines"), number("Bytes"), number("Unchanged"), number("Connections"), { text: "Refused" }, { text: "Dropped" }, number("Kernel drops")],
      now.listeners.map((its) => [
        h("code", null, its.bound ?? its.address), pill(its.emit), packs(its), speed("listeners", its, "received_lines"), count(its.counts.received_lines ?? 0),
        bytes(its.counts.received_bytes ?? 0), byGeneration(its.counts.untouched_lines, (n) => count(n ?? 0)), count(its.counts.connections ?? 0),
        byReason(its.counts.refused_lines), byGeneration(its.counts.left_out_lines, byReason),
        its.counts.kernel_dropped_datagrams == null ? text("span", "soft", "–") : count(its.counts.kernel_dropped_datagrams),
      ]))));
  $("sinks").replaceChildren(!now.sinks.length
    ? text("p", "note", "No sinks. Set ", h("code", null, "statsd.forward:"), " in the settings.")
    : wide("Sinks", table(
      [{ text: "Address" }, { text: "State" }, { text: "Emits" }, { text: "Packs" }, number("Lines/s"), number("Lines"), number("Bytes"), { text: "Queue" }, { text: "Dropped" }, { text: "Failures" }],
      now.sinks.map((its) => [
        h("code", null, its.address), sinkState(its, gatewayNow()), its.emit ? pill(its.emit) : text("span", "soft", "that of the listener"), packs(its), speed("sinks", its, "sent_lines"),
        count(its.counts.sent_lines ?? 0), bytes(its.counts.sent_bytes ?? 0),
        h("span", null, h("meter", { min: 0, max: its.queue_limit, high: its.queue_limit * 0.8, value: its.counts.queued_bytes ?? 0, "aria-label": "Queue" }),
          `${bytes(its.counts.queued_bytes ?? 0)} of ${bytes(its.queue_limit)}`),
        byReason(its.counts.dropped_lines), byReason(its.counts.sink_failures),
      ]))));
  before = now;
}
