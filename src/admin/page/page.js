// The status page. Requests data from /api/ and inserts it as text, never as markup.

const EVERY = 2000; // ms between two refreshes
const VIEWS = ["targets", "statsd", "explain", "settings"];

const $ = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is not an element becomes text. */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(3).filter((child) => child != null && child !== false));
  return element;
}

const text = (name, kind, ...children) => h(name, { class: kind }, ...children);

function table(heads, rows) {
  const cell = (name, kind) => (child, at) => h(name, { class: heads[at].number ? "number" : null, ...kind }, child);
  return h("table", null,
    h("thead", null, h("tr", null, heads.map((head, at) => cell("th", { scope: "col" })(head.text, at)))),
    h("tbody", null, rows.map((row) => h("tr", null, row.map(cell("td"))))));
}

// ── Numbers and times ────────────────────────────────────────────────────────────────────────────

const count = (n) => n.toLocaleString("en", { maximumFractionDigits: 0 }).replaceAll(",", "\u202f");

function bytes(n) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024 || unit === "GiB") return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)}\u202f${unit}`;
    n /= 1024;
  }
}

function span(seconds) {
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

function sinceThen(at) {
  const seconds = Math.max(0, Date.now() / 1000 + skew - at);
  return seconds < 1 ? "just now" : `${span(Math.floor(seconds))} ago`;
}

const ago = (at) => h("time", { title: new Date(at * 1000).toISOString(), "data-at": at }, sinceThen(at));

const perSecond = (n) => (n >= 10 || n === 0 ? count(n) : n.toFixed(1));

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

async function ask(path, question) {
  const options = question && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
  };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `${response.status} ${response.statusText}`);
  return answer;
}

/** Replaces the content of `place` if `data` has changed. */
function show(place, data, make) {
  const made = JSON.stringify(data);
  if (place.made === made) return;
  place.made = made;
  place.replaceChildren(...[make(data)].flat());
}

// ── Two sides of an exposition ───────────────────────────────────────────────────────────────────

/** Splits a sample into its name, its labels as written, and the rest. */
function parts(line) {
  const name = line.match(/^[^\s{]*/)[0];
  let rest = line.slice(name.length);
  const labels = [];
  if (rest.startsWith("{")) {
    const label = /[{,\s]*([^=,}\s]+="(?:[^"\\]|\\.)*"?)/y;
    let end = 1;
    for (let found; (label.lastIndex = end - (labels.length ? 0 : 1)), (found = label.exec(rest)); end = label.lastIndex) {
      labels.push({ gap: found[0].slice(0, found[0].length - found[1].length), text: found[1] });
    }
    rest = rest.slice(end);
  }
  return { name, labels, rest };
}

/** The labels of one side: by name, and those of all changed lines. */
function vocabulary(side) {
  const byName = new Map();
  const changed = new Set();
  for (const line of side.lines) {
    if (line.text.startsWith("#")) continue;
    const { name, labels } = parts(line.text);
    if (!byName.has(name)) byName.set(name, new Set());
    for (const label of labels) {
      byName.get(name).add(label.text);
      if (line.changed) changed.add(label.text);
    }
  }
  return { byName, changed };
}

/** A line of one side. Parts that `other` does not have are marked. */
function lineElement({ text: line, changed }, kind, other) {
  if (!changed) return text("div", line.startsWith("#") ? "comment" : null, line);
  if (line.startsWith("#")) return text("div", `comment ${kind}`, line);
  const { name, labels, rest } = parts(line);
  const known = other.byName.get(name);
  const marked = (is, word) => (is ? word : h("mark", null, word));
  const named = [marked(known, name), ...labels.flatMap((label) => [label.gap, marked((known ?? other.changed).has(label.text), label.text)])];
  if (named.some((part) => typeof part !== "string")) return text("div", kind, ...named, rest);
  // Name and labels are the same, so the value has changed.
  const [, end, value] = rest.match(/^(\}?\s*)(.*)$/s);
  return text("div", kind, ...named, end, h("mark", null, value));
}

function sides(before, after, filter) {
  const side = (title, its, other, kind) => {
    const known = vocabulary(other);
    const shown = its.lines.filter((line) => line.text.includes(filter));
    const changed = shown.filter((line) => line.changed).length;
    const cut = its.matching > its.lines.length ? `, first ${count(its.lines.length)} of ${count(its.matching)}` : "";
    return text("div", "side",
      h("h3", null, title, text("span", "soft", `${count(shown.length)} ${shown.length === 1 ? "line" : "lines"}${cut}, ${count(changed)} changed`)),
      h("div", { class: "lines", tabindex: 0, role: "region", "aria-label": title },
        shown.map((line) => lineElement(line, kind, known))));
  };
  return text("div", "sides", side("Before", before, after, "gone"), side("After", after, before, "added"));
}

// ── The report of the engine ─────────────────────────────────────────────────────────────────────

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
const reasoned = (key) => h("span", { title: key }, REASONS[key] ?? key.replaceAll("_", " "));

const pill = (word, kind) => text("span", `pill ${kind ?? word}`, word);

const arrow = () => text("span", "arrow", "→");

/** A name that may be broken after each underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, h("wbr")]).slice(0, -1);

/** A selector: the family, and its labels in a lighter colour. */
function selector(written) {
  const at = written.indexOf("{");
  const [family, labels] = at < 0 ? [written, ""] : [written.slice(0, at), written.slice(at)];
  return h("code", null, breakable(family), labels && text("span", "soft", labels.replaceAll(",", ", ").replaceAll("  ", " ")));
}

function rules(report) {
  const rows = report.rules.map((rule) => [...rule.title.split(" -> ").map(selector), count(rule.samples_in), count(rule.samples_out)]);
  if (report.passed) rows.push([text("span", "soft", "no rule"), text("span", "soft", "forwarded unchanged"), count(report.passed), count(report.passed)]);
  if (report.kept) rows.push(["", text("span", "soft", "forwarded unchanged, in addition to the rewritten samples"), "", count(report.kept)]);
  for (const item of report.reduced) rows.push([selector(item.from), h("span", null, text("span", "soft", "reduced: "), selector(item.title)), count(item.samples_in), count(item.samples_out)]);
  if (!rows.length) return text("p", "soft", "No samples.");
  return table([{ text: "Input family" }, { text: "Output family" }, { text: "Samples in", number: true }, { text: "Samples out", number: true }], rows);
}

function reasons(report) {
  const all = [
    ...Object.entries(report.dropped).map(([reason, n]) => [h("span", null, "dropped: ", reasoned(reason)), count(n)]),
    ...Object.entries(report.unrewritten).map(([reason, n]) => [h("span", null, "not rewritten: ", reasoned(reason)), count(n)]),
  ];
  if (report.malformed_passed) all.push(["malformed, forwarded", count(report.malformed_passed)]);
  return all.length > 0 && h("div", null, h("h3", null, "Dropped and not rewritten"), table([{ text: "Reason" }, { text: "Count", number: true }], all));
}

/** A fraction as a percentage with two significant digits. */
const percent = (part) => `${Number((part * 100).toPrecision(2))} %`;

/** An estimated bucket count, and the exact ones next to it, which bound its error. */
function between({ le, count: estimate, below, above }) {
  const exact = (bucket) => (bucket.le === null ? `${bucket.count}` : `${bucket.count} (le ${bucket.le})`);
  return `le ${le}: ${estimate}, between ${exact(below)} and ${exact(above)}`;
}

function estimated(report) {
  return report.estimated.length > 0 && h("div", null, h("h3", null, "Estimated bucket counts"),
    text("div", "bounds", report.estimated.map((of) => h("div", { title: of.rule }, selector(of.rule.split(" -> ").at(-1)),
      text("span", "mono soft", of.boundaries.join(" ")),
      text("span", "soft", `wrong by at most ${percent(of.max_error)} of a series, ${percent(of.max_error_of_sum)} over all series`)))));
}

/** Text between backticks is code. */
const prose = (text) => text.split("`").map((part, at) => (at % 2 ? h("code", null, part) : part));

function lacks(heading, missing) {
  const byHint = new Map();
  for (const lack of missing) byHint.set(lack.hint, [...(byHint.get(lack.hint) ?? []), lack]);
  return missing.length > 0 && h("div", null, h("h3", null, heading),
    text("ul", "lacks", [...byHint].map(([hint, lacks]) => h("li", null,
      lacks.map((lack) => h("div", { title: lack.rules.join("\n") }, selector(lack.input))),
      text("p", null, prose(hint ?? "The pack gives no reason."))))));
}

const findings = (report, missing) => text("div", "split",
  h("div", null, h("div", null, h("h3", null, "Families"), rules(report)), reasons(report)),
  h("div", null, lacks("Missing", missing.filter((lack) => !lack.optional)), lacks("Not exported (optional)", missing.filter((lack) => lack.optional)), estimated(report)));

// ── Targets ──────────────────────────────────────────────────────────────────────────────────────

const shownTargets = new Map();

function states(target) {
  const all = {
    not_scraped: () => pill("not scraped yet", "none"),
    failed: () => pill(h("span", null, "failed: ", reasoned(target.last.outcome)), "bad"),
    client_gone: () => pill("client disconnected", "none"),
    stale: () => pill("stale", target.on_demand ? "none" : "hint"),
    no_known_metrics: () => pill("no known metrics", "bad"),
    ok: () => pill("ok", "good"),
  };
  const missing = target.missing.filter((lack) => !lack.optional).length;
  return [all[target.state](), missing > 0 && pill(`${missing} missing`, "hint")].filter(Boolean);
}

function targetElement({ name, on_demand: onDemand }) {
  const summary = h("summary");
  const findings = h("div");
  if (onDemand) return { element: h("details", { class: "target" }, summary, text("div", "detail", findings)), summary, findings };
  const preview = h("div", { "aria-live": "polite" });
  const filter = h("input", { type: "search", placeholder: "Filter lines", "aria-label": `Filter lines of ${name}` });
  const button = h("button", { type: "submit", class: "main" }, "Scrape and compare");
  let last = null;
  const draw = () => last && preview.replaceChildren(sides(last.before, last.after, filter.value));
  const look = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      last = await ask("api/preview", { target: name, filter: filter.value });
      draw();
    } catch (error) {
      last = null;
      preview.replaceChildren(text("p", "error", error.message));
    }
    button.disabled = false;
  };
  filter.addEventListener("input", draw);
  const form = h("form", { class: "actions", onsubmit: look }, button, filter,
    text("span", "soft", "Scrapes the target once and shows the exposition before and after rewriting. The scrape is not counted or stored."));
  const detail = text("div", "detail", findings, h("div", null, form, preview));
  const element = h("details", { class: "target" }, summary, detail);
  return { element, summary, findings };
}

/** The editions of a target's bucket boundaries, if its versions have several. */
const editions = (target) => (target.report?.editions.length ? ` ${target.report.editions.join(", ")} ` : " ");

/** Targets that emit different editions of a generation. */
const mixedEditions = ({ generation, editions, remedy }) => h("p", { class: "error" },
  `Targets emit different editions of the ${generation} generation, so sums of their buckets by `, h("code", null, "le"), " are wrong: ",
  editions.map(({ edition, targets }) => `${edition} (${targets.join(", ")})`).join(", "), ". Set ", h("code", null, remedy), " for all of them.");

function fillSummary(target) {
  const last = target.last_complete;
  const generations = target.report?.generations ?? [];
  const flow = (from, to, unit) => [unit(from), arrow(), unit(to)];
  return [
    h("span", null, text("span", "name", target.name), text("span", "url", target.url)),
    h("span", null, generations.length ? pill(generations.join(" + "), generations.length > 1 ? "both" : generations[0]) : pill("?", "none"), text("span", "soft", editions(target)), arrow(), pill(target.emit)),
    h("span", null, target.last ? ago(target.last.at) : "never"),
    text("span", "number", last ? span(last.seconds) : ""),
    text("span", "number", ...(last ? flow(last.samples_in, last.samples_out, count) : [])),
    text("span", "number", ...(last ? flow(last.bytes_in, last.bytes_out, bytes) : [])),
    text("span", "states", ...states(target)),
  ];
}

const place = (path) => (path ? ["Scraped at ", h("code", null, path), "."] : ["Dynamic target, named by a client of the proxy or of /probe."]);

function fillFindings({ last, last_failed: failed, last_complete: complete, report, missing, path }) {
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

async function drawTargets() {
  const { targets, editions: known, mixed_editions: mixed } = await ask("api/targets");
  show($("fleet"), mixed, () => mixed.map(mixedEditions));
  const list = $("targets");
  const key = ({ name, url }) => `${name} ${url}`;
  for (const [its, { element }] of shownTargets) {
    if (!targets.some((target) => key(target) === its)) {
      element.remove();
      shownTargets.delete(its);
    }
  }
  if (!targets.length) {
    show(list, 0, () => text("p", "note", "No targets. Set ", h("code", null, "targets:"), " in the settings, or ",
      h("code", null, "allow:"), " for dynamic targets, which appear here after their first scrape."));
  } else if (list.made) {
    list.replaceChildren();
    list.made = null;
  }
  for (const target of targets) {
    let its = shownTargets.get(key(target));
    if (!its) {
      its = targetElement(target);
      its.element.open = targets.length === 1;
      shownTargets.set(key(target), its);
      list.append(its.element);
    }
    its.summary.replaceChildren(...fillSummary(target));
    // Rebuilt only if the data has changed, so that a text selection is kept.
    show(its.findings, target, (target) => text("div", "detail-parts", ...fillFindings(target)));
  }
  const named = targets.filter((target) => !target.on_demand);
  show($("as"), named.map(({ name, emit }) => [name, emit]), () => [
    ...named.map(({ name, emit }) => h("option", { value: `target:${name}` }, `${name}, emit: ${emit}`)),
    ...["old", "new", "both", ...known].map((emit) => h("option", { value: `emit:${emit}` }, `emit: ${emit}`)),
  ]);
}

// ── StatsD ───────────────────────────────────────────────────────────────────────────────────────

let before = null;

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

async function drawStatsd() {
  const now = await ask("api/statsd");
  now.at = Date.now() / 1000;
  const speed = (group, its, name) => {
    const value = rate(group, its.address, name, its.counts[name] ?? 0, now.at);
    return value == null ? "…" : perSecond(value);
  };
  const number = (text) => ({ text, number: true });
  $("listeners").replaceChildren(!now.listeners.length
    ? text("p", "note", "No listeners. Set ", h("code", null, "statsd.listen:"), " in the settings.")
    : text("div", "panel", table(
      [{ text: "Address" }, { text: "Emits" }, number("Lines/s"), number("Lines"), number("Bytes"), number("Unchanged"), number("Connections"), { text: "Refused" }, { text: "Dropped" }, number("Kernel drops")],
      now.listeners.map((its) => [
        h("code", null, its.bound ?? its.address), pill(its.emit), speed("listeners", its, "received_lines"), count(its.counts.received_lines ?? 0),
        bytes(its.counts.received_bytes ?? 0), byGeneration(its.counts.untouched_lines, (n) => count(n ?? 0)), count(its.counts.connections ?? 0),
        byReason(its.counts.refused_lines), byGeneration(its.counts.left_out_lines, byReason),
        its.counts.kernel_dropped_datagrams == null ? text("span", "soft", "–") : count(its.counts.kernel_dropped_datagrams),
      ]))));
  $("sinks").replaceChildren(!now.sinks.length
    ? text("p", "note", "No sinks. Set ", h("code", null, "statsd.forward:"), " in the settings.")
    : text("div", "panel", table(
      [{ text: "Address" }, { text: "Emits" }, number("Lines/s"), number("Lines"), number("Bytes"), { text: "Queue" }, { text: "Dropped" }, { text: "Failures" }],
      now.sinks.map((its) => [
        h("code", null, its.address), its.emit ? pill(its.emit) : text("span", "soft", "that of the listener"), speed("sinks", its, "sent_lines"),
        count(its.counts.sent_lines ?? 0), bytes(its.counts.sent_bytes ?? 0),
        h("span", null, h("meter", { min: 0, max: its.queue_limit, high: its.queue_limit * 0.8, value: its.counts.queued_bytes ?? 0, "aria-label": "Queue" }),
          `${bytes(its.counts.queued_bytes ?? 0)} of ${bytes(its.queue_limit)}`),
        byReason(its.counts.dropped_lines), byReason(its.counts.sink_failures),
      ]))));
  before = now;
}

// ── Explain ──────────────────────────────────────────────────────────────────────────────────────

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

async function explain(event) {
  event?.preventDefault();
  const [by, name] = $("as").value.split(/:(.*)/s);
  try {
    const answer = await ask("api/explain", { text: $("text").value, [by]: name });
    $("answer").replaceChildren(...(answer.kind === "statsd" ? [relayed(answer)] : [sides(answer.before, answer.after, ""), lineByLine(answer.explained), findings(answer.report, answer.missing)]));
  } catch (error) {
    $("answer").replaceChildren(text("p", "error", error.message));
  }
}

// ── Settings ─────────────────────────────────────────────────────────────────────────────────────

/** Formats settings as YAML. Keys that are not set have no value. */
function yaml(value, indent, out) {
  for (const [key, its] of Object.entries(value)) {
    const list = Array.isArray(value);
    if (its === null) {
      out.push(indent, text("span", "key", key), ": ", text("span", "soft", "# not set"), "\n");
      continue;
    }
    out.push(indent, list ? "- " : text("span", "key", key), list ? "" : ": ");
    if (typeof its !== "object") {
      const plain = String(its);
      out.push(plain === "<secret>" ? text("span", "masked", plain) : plain, "\n");
    } else if (Object.keys(its).length === 0) {
      out.push(Array.isArray(its) ? "[]\n" : "{}\n");
    } else if (list) {
      const inner = [];
      yaml(its, `${indent}  `, inner);
      inner[0] = ""; // follows the dash
      out.push(...inner);
    } else {
      out.push("\n");
      yaml(its, `${indent}  `, out);
    }
  }
}

async function drawSettings() {
  const { settings } = await ask("api/settings");
  show($("settings"), settings, (settings) => {
    const out = [];
    yaml(settings, "", out);
    return h("code", null, ...out);
  });
}

// ── The page ─────────────────────────────────────────────────────────────────────────────────────

async function drawStatus() {
  const status = await ask("api/status");
  skew = status.now - Date.now() / 1000;
  const reload = status.reload;
  const refused = reload?.last?.error;
  $("state").replaceChildren(
    pill(status.ready ? "ready" : "starting or stopping", status.ready ? "good" : "bad"),
    ...(refused ? [pill("new settings refused", "bad")] : []),
    h("span", null, `${status.version}, up ${span(status.now - status.started)}`));
  const fact = (name, ...value) => [h("dt", null, name), h("dd", null, ...value)];
  $("process").replaceChildren(
    ...fact("Version", status.version),
    ...fact("Started", ago(status.started)),
    ...fact("Ready", status.ready ? "yes" : "no"),
    ...(reload ? fact("Reload over HTTP", reload.enabled ? "on" : "off (--web.enable-lifecycle turns it on); SIGHUP always works") : []),
    ...(reload ? fact("Last reload", ...(reload.last ? [ago(reload.last.at), refused ? `, refused: ${refused}` : ", successful"] : ["none since start"])) : []));
}

const DRAW = { targets: drawTargets, statsd: drawStatsd, explain: drawTargets, settings: drawSettings };

function view() {
  const name = location.hash.slice(1);
  return VIEWS.includes(name) ? name : VIEWS[0];
}

async function draw() {
  try {
    await Promise.all([drawStatus(), DRAW[view()]()]);
    for (const time of document.querySelectorAll("time")) time.textContent = sinceThen(Number(time.dataset.at));
  } catch {
    $("state").replaceChildren(pill("no response from the gateway", "bad"));
  }
}

function turn() {
  for (const name of VIEWS) {
    $(`view-${name}`).hidden = name !== view();
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view()) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  before = null;
  draw();
}

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
addEventListener("hashchange", turn);
document.addEventListener("visibilitychange", () => !document.hidden && draw());
setInterval(() => $("live").checked && !document.hidden && draw(), EVERY);
turn();
