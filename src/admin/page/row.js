// One target: its line in the list, and its details.

import { ask } from "./api.js";
import { arrow, h, pill, show, spaced, text } from "./dom.js";
import { ago, bytes, count, span } from "./numbers.js";
import { findings } from "./report.js";
import { sides } from "./sides.js";

/** The state of a target in words, and what there is to know about it. */
const STATES = {
  not_scraped: () => [pill("not scraped yet", "none")],
  failed: ({ reason, last_complete: complete }) => [pill("failing", "bad"), text("span", "reason", reason), text("span", "soft", complete ? ["last success ", ago(complete.at)] : "never succeeded")],
  client_gone: () => [pill("not read to the end", "hint"), text("span", "reason", "the client disconnected")],
  stale: ({ last, on_demand: onDemand, interval }) => [pill("stale", onDemand ? "none" : "hint"), text("span", "reason", "last scraped ", ago(last.at), interval && `, before every ${span(Math.round(interval) || interval)}`)],
  no_known_metrics: () => [pill("no known metrics", "bad"), text("span", "reason", "no pack reads any of its families")],
  ok: ({ changed, generations }) => [pill("ok", "good"), text("span", "soft", !generations.length ? "only unchanged metrics" : changed ? "rewritten" : "unchanged")],
};

const kind = (generations) => (generations.length > 1 ? "both" : (generations[0] ?? "none"));

const emitted = ({ emit, gets, generations, changed }) => {
  if (emit === "both") return "both";
  if (emit === "old" || emit === "new") return emit;
  return generations.length === 1 && !changed ? generations[0] : "none";
};

function fill(target) {
  const last = target.last_complete;
  const flow = (from, to, unit) => [unit(from), arrow(), unit(to)];
  const cell = (label, kind, ...children) => h("span", { class: kind, "data-label": label }, ...children);
  const [is, gets] = [target.is.join(" + "), target.gets.join(" + ")];
  return [
    h("span", null, text("span", "name", target.name), text("span", "url", target.url)),
    text("span", "generations", h("span", null, is ? pill(is, kind(target.generations)) : pill("unknown", "none"), text("span", "soft", ` ${target.editions.join(", ")}`)),
      h("span", null, arrow(), pill(gets, emitted(target)))),
    text("span", "states", spaced(...STATES[target.state](target), target.missing > 0 && pill(`${target.missing} missing`, "hint"))),
    cell("Last scrape", "at", target.last ? ago(target.last.at) : "never"),
    cell("Duration", "number", last ? span(last.seconds) : ""),
    cell("Samples", "number", ...(last ? flow(last.samples_in, last.samples_out, count) : [])),
    cell("Bytes", "number", ...(last ? flow(last.bytes_in, last.bytes_out, bytes) : [])),
  ];
}

const place = (path) => (path ? ["Scraped at ", h("code", null, path), "."] : ["Dynamic target, named by a client of the proxy or of /probe."]);

function details({ last, last_failed: failed, last_complete: complete, report, missing, path }) {
  const parts = [];
  if (last?.error) parts.push(text("p", "error", last.error));
  else if (failed) parts.push(text("p", "soft", "Last failure ", ago(failed.at), `: ${failed.error}`));
  if (report) {
    parts.push(findings(report, missing));
    parts.push(text("p", "soft", `Held at most ${bytes(report.held_bytes)} in memory. `, ...place(path), " Last complete scrape ", ago(complete.at), "."));
  } else {
    parts.push(text("p", "soft", "No complete scrape yet. ", ...place(path)));
  }
  return parts;
}

/** The form that scrapes the target once and compares. */
function preview(name) {
  const result = h("div", { "aria-live": "polite" });
  const filter = h("input", { type: "search", placeholder: "Filter lines", "aria-label": `Filter lines of ${name}` });
  const button = h("button", { type: "submit", class: "main" }, "Scrape and compare");
  let last = null;
  const draw = () => last && result.replaceChildren(sides(last, filter.value));
  const look = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      last = await ask("api/preview", { target: name, filter: filter.value });
      draw();
    } catch (error) {
      last = null;
      result.replaceChildren(text("p", "error", error.message));
    }
    button.disabled = false;
  };
  filter.addEventListener("input", draw);
  return h("div", null, h("form", { class: "actions", onsubmit: look }, button, filter,
    text("span", "soft", "Scrapes the target once and shows the exposition before and after rewriting. The scrape is not counted or stored.")), result);
}

/** The element of a target, which is made once, and what changes in it. */
export class Row {
  constructor({ name, on_demand: onDemand }) {
    this.name = name;
    this.summary = h("summary");
    this.found = h("div");
    this.shown = null;
    this.detail = text("div", "detail", this.found);
    this.onDemand = onDemand;
    this.element = h("details", { class: "target", ontoggle: () => this.look() }, this.summary, this.detail);
  }

  /** Shows the overview of the target. */
  fill(target) {
    this.target = target;
    show(this.summary, target, fill);
    this.look();
  }

  /** Requests the details of an open target if there was a scrape since. */
  async look() {
    const { last, url, on_demand: onDemand } = this.target;
    const version = `${last?.at} ${url}`;
    if (!this.element.open || this.shown === version) return;
    this.shown = version;
    if (!this.onDemand && !this.preview) {
      this.preview = preview(this.name);
      this.detail.append(this.preview);
    }
    try {
      const { targets } = await ask(`api/targets?name=${encodeURIComponent(this.name)}`);
      const its = targets.find((other) => other.url === url && other.on_demand === onDemand);
      // Rebuilt only if the data has changed, so that a text selection is kept.
      if (its) show(this.found, its, (its) => text("div", "detail-parts", ...details(its)));
    } catch {
      this.shown = null; // once more at the next refresh
    }
  }
}
