// The list of targets: search, order and groups.

import { $, h, show, text } from "./dom.js";
import { Row } from "./row.js";

/** From this number of targets on, the list has groups unless the user says otherwise. */
const GROUPED_FROM = 100;

/** With fewer targets there is nothing to search or to sort. */
const TOOLS_FROM = 5;

const rows = new Map();
/** Groups by name: their element, and whether the user has opened or closed it. */
const groups = new Map();
let drawn = null;

const key = ({ name, url, on_demand: onDemand }) => `${name} ${url} ${onDemand}`;

const TROUBLE = ["failed", "no_known_metrics", "stale", "client_gone", "not_scraped"];

/** Trouble first, then what lacks metrics, then the rest. */
function rank({ state, missing, on_demand: onDemand }) {
  if (onDemand && state === "stale") return TROUBLE.length + 2; // no client names it any more
  const at = TROUBLE.indexOf(state);
  return at >= 0 ? at : TROUBLE.length + (missing > 0 ? 0 : 1);
}

const byText = (value) => (one, other) => value(one).localeCompare(value(other), "en", { numeric: true });
const byName = byText(({ name }) => name);
const byNumber = (value) => (one, other) => (value(other) ?? -1) - (value(one) ?? -1);

const ORDERS = {
  trouble: (one, other) => rank(one) - rank(other),
  name: () => 0,
  generation: byText(({ is }) => is.join(" ")),
  last: (one, other) => (one.last?.at ?? 0) - (other.last?.at ?? 0),
  duration: byNumber(({ last_complete: last }) => last?.seconds),
  samples: byNumber(({ last_complete: last }) => last?.samples_in),
};

function matches(target, words) {
  const all = [target.name, target.url, target.group, target.reason, target.state, ...target.is, ...target.editions].join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
}

function rowOf(target) {
  let row = rows.get(key(target));
  if (!row) {
    row = new Row(target);
    rows.set(key(target), row);
  }
  row.fill(target);
  return row.element;
}

/** Puts elements into `place`, and leaves it alone if they are there already, for the focus. */
function arrange(place, elements) {
  const same = place.children.length === elements.length && elements.every((element, at) => place.children[at] === element);
  if (same) return;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(...elements);
  focused?.focus({ preventScroll: true });
}

function groupElement(name) {
  let group = groups.get(name);
  if (!group) {
    const summary = h("summary");
    const body = text("div", "rows");
    const element = h("details", { class: "group", "data-group": name }, summary, body);
    group = { element, summary, body, chosen: null };
    summary.addEventListener("click", () => { group.chosen = !element.open; });
    element.addEventListener("toggle", () => draw());
    groups.set(name, group);
  }
  return group;
}

/** Healthy groups are closed, and their rows are not made before they are opened. */
function drawGroup({ key: name, kind }, targets, searching) {
  const group = groupElement(name);
  show(group.summary, [kind, targets.length], () => [text("span", `key ${kind}`), h("span", null, name), text("span", "soft", `${targets.length} ${targets.length === 1 ? "target" : "targets"}`)]);
  group.element.open = group.chosen ?? (searching || kind === "trouble");
  if (group.element.open) arrange(group.body, targets.map(rowOf));
  else group.body.replaceChildren();
  return group.element;
}

function draw() {
  const { targets, summary } = drawn;
  const list = $("targets");
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = targets.filter((target) => matches(target, words)).sort((one, other) => ORDERS[$("sort").value](one, other) || byName(one, other));
  const grouped = $("group").value === "yes" || ($("group").value === "auto" && targets.length >= GROUPED_FROM);
  $("shown").textContent = words.length ? `${found.length} of ${targets.length} shown` : "";
  list.classList.toggle("grouped", grouped);
  if (!found.length) {
    arrange(list, [text("p", "note", targets.length ? "No target matches the search." : ["No targets. Set ", h("code", null, "targets:"), " in the settings, or ",
      h("code", null, "allow:"), " for dynamic targets, which appear here after their first scrape."].map((part) => part))]);
  } else if (grouped) {
    const parts = summary.groups.map((group) => [group, found.filter((target) => target.group === group.key)]);
    arrange(list, parts.filter(([, its]) => its.length).map(([group, its]) => drawGroup(group, its, words.length > 0)));
  } else {
    arrange(list, found.map(rowOf));
  }
}

export function drawTargets(overview) {
  const first = !drawn;
  drawn = overview;
  const known = new Set(overview.targets.map(key));
  for (const its of rows.keys()) if (!known.has(its)) rows.delete(its);
  $("tools").hidden = overview.targets.length < TOOLS_FROM;
  draw();
  if (first && overview.targets.length === 1) $("targets").querySelector(".target").open = true;
}

export function listen() {
  for (const id of ["search", "sort", "group"]) $(id).addEventListener("input", () => drawn && draw());
  $("tools").addEventListener("submit", (event) => event.preventDefault());
}
