// An exposition before and after it is rewritten, aligned by family.

import { arrow, h, text } from "./dom.js";
import { count } from "./numbers.js";

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

const SUFFIX = /_(bucket|sum|count|gsum|gcount|total|created|info)$/;

/** The families of one side, in their order, each with its lines. */
function families(lines) {
  const typed = new Set(lines.flatMap((line) => line.text.match(/^# (?:TYPE|HELP|UNIT) (\S+)/)?.[1] ?? []));
  const all = new Map();
  for (const line of lines) {
    const name = line.text.match(/^# (?:TYPE|HELP|UNIT) (\S+)/)?.[1] ?? line.text.match(/^[^\s{]*/)[0];
    const base = name.replace(SUFFIX, "");
    const family = line.text.startsWith("#") && !typed.has(name) ? "" : !typed.has(name) && typed.has(base) ? base : name;
    if (!all.has(family)) all.set(family, []);
    all.get(family).push(line);
  }
  return all;
}

/** The family that a rule writes for a family that it reads. Either can be a pattern. */
function written({ from, to }, family) {
  const holes = [...from.matchAll(/\{(\w+)\*?\}/g)].map(([, name]) => name);
  if (!holes.length) return family === from ? to : null;
  const literal = from.split(/\{\w+\*?\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const found = family.match(new RegExp(`^${literal.join("(.+)")}$`));
  return found && to.replace(/\{(\w+)\*?\}/g, (_, name) => found[holes.indexOf(name) + 1] ?? "");
}

/** Families that belong together, because a rule reads one and writes the other: `[before, after]`. */
function aligned(before, after, rules) {
  const sideOf = { before: families(before.lines), after: families(after.lines) };
  const parent = new Map();
  const root = (name) => (parent.get(name) === name ? name : root(parent.get(name)));
  for (const [side, its] of Object.entries(sideOf)) for (const family of its.keys()) parent.set(`${side} ${family}`, `${side} ${family}`);
  const join = (one, other) => parent.has(one) && parent.has(other) && parent.set(root(other), root(one));
  for (const family of sideOf.before.keys()) {
    join(`before ${family}`, `after ${family}`);
    for (const rule of rules) {
      const to = written(rule, family);
      if (to !== null) join(`before ${family}`, `after ${to}`);
    }
  }
  const groups = new Map();
  for (const [side, its] of Object.entries(sideOf)) {
    for (const [family, lines] of its) {
      const name = root(`${side} ${family}`);
      if (!groups.has(name)) groups.set(name, { before: [], after: [], names: { before: [], after: [] } });
      groups.get(name)[side].push(...lines);
      groups.get(name).names[side].push(family);
    }
  }
  return [...groups.values()];
}

/** Before and after, family by family; `answer.report` tells which families belong together. */
export function sides({ before, after, report }, filter) {
  const kept = (lines) => lines.filter((line) => line.text.includes(filter));
  const [of, its] = [vocabulary(before), vocabulary(after)];
  const title = (name, side) => {
    const shown = kept(side.lines);
    const changed = shown.filter((line) => line.changed).length;
    const cut = side.matching > side.lines.length ? `, first ${count(side.lines.length)} of ${count(side.matching)}` : "";
    return h("h3", null, name, text("span", "soft", `${count(shown.length)} ${shown.length === 1 ? "line" : "lines"}${cut}, ${count(changed)} changed`));
  };
  const column = (name, lines, kind, other) => h("div", { class: `lines ${kind}-side`, "aria-label": name, role: "group" }, lines.map((line) => lineElement(line, kind, other)));
  const family = ({ names, ...group }) => {
    const lines = [kept(group.before), kept(group.after)];
    if (!lines[0].length && !lines[1].length) return null;
    const changed = lines.flat().some((line) => line.changed);
    const [from, to] = [names.before.join(", "), names.after.join(", ")];
    const heading = from === to ? [from || "other lines"] : [from || "nothing", arrow(), to || "nothing"];
    return h("details", { class: "family", open: changed || filter !== "" }, h("summary", null, h("code", null, heading), !changed && text("span", "soft", ` unchanged, ${count(lines[0].length)} ${lines[0].length === 1 ? "line" : "lines"}`)),
      text("div", "pair", column("Before", lines[0], "gone", its), column("After", lines[1], "added", of)));
  };
  return text("div", "sides",
    text("div", "pair titles", title("Before", before), title("After", after)),
    h("div", { class: "families", tabindex: 0, role: "region", "aria-label": "Before and after, by family" },
      aligned(before, after, [...report.rules, ...report.reduced]).map(family)));
}
