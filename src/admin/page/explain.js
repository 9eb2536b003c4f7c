// How pasted text is rewritten.

import { ask } from "./api.js";
import { $, arrow, h, prose, selector, show, text } from "./dom.js";
import { between, findings } from "./report.js";
import { sides } from "./sides.js";
import { reasoned } from "./words.js";

const EXAMPLES = {
  exposition: [
    "# TYPE kong_http_requests_total counter",
    'kong_http_requests_total{service="shop",route="cart",code="200",source="service",consumer="alice"} 12',
    'kong_http_requests_total{service="shop",route="cart",code="200",source="service",consumer=""} 30',
    "# TYPE kong_bandwidth_bytes counter",
    'kong_bandwidth_bytes{service="shop",route="cart",direction="egress",consumer="alice"} 4096',
    'kong_bandwidth_bytes{service="shop",route="cart",direction="egress",consumer=""} 65536',
    "# TYPE kong_datastore_reachable gauge",
    "kong_datastore_reachable 1",
  ].join("\n"),
  statsd: [
    "kong.service.shop.request.count:1|c",
    "kong.service.shop.status.200:1|c",
    "kong.shop.request.status.200:1|c",
    "kong.shop.request.status.total:1|c",
    "kong.shop.upstream_latency:-1|ms",
  ].join("\n"),
};

const by = ({ title, source }) => {
  const [read, written] = title.split(" -> ");
  return ["by ", selector(read), arrow(), written === undefined ? "" : selector(written), text("span", "soft", `  ${source}`)];
};

const FATES = {
  passed: "no rule matches; forwarded unchanged",
  emitted: "already in the emitted generation; forwarded unchanged",
  unreadable: "not a StatsD line; forwarded unchanged",
  kept: "forwarded unchanged",
  not_number: "its value is not a number, so it is not converted to another unit; forwarded unchanged",
  skipped: "dropped: the value is a placeholder for a missing value",
  implied: "dropped: it repeats other lines",
  dropped: "dropped",
  refused: "malformed; forwarded unchanged",
};

/** How a line was handled; nothing if the output shows it. */
function fate({ is, reason }) {
  const fate = FATES[is];
  return fate && text("span", "soft", fate, reason && [": ", reasoned(reason)]);
}

function relayed({ lines }) {
  return text("ol", "relayed", lines.map((line) => h("li", null,
    text("code", "line", line.text),
    line.fate === "rewritten" && line.output.map((output) => text("code", "after", output)),
    fate({ is: line.fate }),
    line.read_by.map((entry) => h("span", null, by(entry), entry.ambiguous && text("span", "soft", "; ambiguous: the other generation has such lines too"))))));
}

const STEPS = {
  dropped: ({ label }) => `${label} removed`,
  renamed: ({ label, to }) => `${label} renamed to ${to}`,
  rewritten: ({ label, to }) => `value of ${label} rewritten${to === label ? "" : ` as ${to}`}`,
  added: ({ label, value }) => `${label}="${value}" added`,
  filled: ({ label, value }) => `${label}="${value}" added from fill`,
};

const series = (its) => text("code", null, its.family + (its.labels ? `{${its.labels}}` : ""));

function then(step, all) {
  if (step.became === "line") return text("code", "after", step.text);
  if (step.became === "nothing") return text("span", "soft", "not applied: ", reasoned(step.reason));
  const into = all[step.series];
  const total = all[step.part_of];
  return [
    into && text("span", "after", series(into)),
    total && text("span", "soft", "subtracted from ", series(total)),
  ];
}

function gathered(its, lines) {
  const numbers = (list) => list.map((number) => `${number}`).join(", ");
  const joined = its.from.length > 1 || its.less.length > 0 || its.joined === "buckets";
  return h("li", null,
    its.text.map((line) => text("code", "line", line)),
    its.absent && [series(its), text("span", "soft", "no output: ", reasoned(its.absent))],
    joined && text("span", "soft", `${its.joined} of line${its.from.length > 1 ? "s" : ""} ${numbers(its.from)}`,
      its.less.length > 0 && ` minus ${numbers(its.less)}: ${its.total} − ${its.parts}`),
    its.diverted_by && text("span", "soft", `because of ${its.diverted_by}`),
    its.estimated.length > 0 && text("span", "soft", `estimated: ${its.estimated.map(between).join("; ")}`),
    h("span", null, by(its)));
}

function lineByLine({ lines, series: all, next }, heading = "Line by line") {
  const stage = text("div", "split even",
    h("div", null, h("h3", null, heading), text("ol", "relayed", lines.slice(0, 500).map((line) => h("li", null,
      text("div", "numbered", text("span", "soft", `${line.number}`), text("code", "line", line.text)),
      fate(line.fate.is === "passed" ? { is: line.is_output ? "emitted" : line.read_by.length ? "kept" : "passed" } : line.fate),
      line.read_by.map((reading) => [
        then(reading.then, all),
        h("span", null, by(reading)),
        reading.labels.length > 0 && text("span", "soft", reading.labels.map((step) => STEPS[step.did](step)).join(", ")),
      ]),
      line.not_read_by.length > 0 && text("span", "soft", "rules for other samples of this family: ", line.not_read_by.join("; ")))))),
    all.length > 0 && h("div", null, h("h3", null, "Aggregated series"), text("ol", "relayed", all.slice(0, 500).map((its) => gathered(its)))));
  return next ? h("div", null, stage, lineByLine(next, "Then, in the output of these rules")) : stage;
}

export async function explain(event) {
  event?.preventDefault();
  const [by, name] = $("as").value.split(/:(.*)/s);
  try {
    const answer = await ask("api/explain", { text: $("text").value, [by]: name });
    $("answer").replaceChildren(...(answer.kind === "statsd" ? [relayed(answer)] : [sides(answer, ""), lineByLine(answer.explained), findings(answer.report, answer.missing)]));
  } catch (error) {
    $("answer").replaceChildren(text("p", "error", error.message));
  }
}


/** Fills the list of what to rewrite as. */
export function drawChoices({ targets, editions }) {
  const named = targets.filter((target) => !target.on_demand);
  show($("as"), [named.map(({ name, emit }) => [name, emit]), editions], () => [
    ...named.map(({ name, emit }) => h("option", { value: `target:${name}` }, `${name}, emit: ${emit}`)),
    ...["old", "new", "both", ...editions].map((emit) => h("option", { value: `emit:${emit}` }, `emit: ${emit}`)),
  ]);
}

export function listen() {
  $("question").addEventListener("submit", explain);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) explain(event);
  });
  for (const [name, example] of Object.entries(EXAMPLES)) {
    $(`example-${name}`).addEventListener("click", () => {
      $("text").value = example;
      explain();
    });
  }
}
