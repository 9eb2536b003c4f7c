// What the engine did with the last complete scrape of a target.

import { h, prose, selector, table, text } from "./dom.js";
import { count, percent } from "./numbers.js";
import { reasoned } from "./words.js";

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

/** An estimated bucket count, and the exact ones next to it, which bound its error. */
export function between({ le, count: estimate, below, above }) {
  const exact = (bucket) => (bucket.le === null ? `${bucket.count}` : `${bucket.count} (le ${bucket.le})`);
  return `le ${le}: ${estimate}, between ${exact(below)} and ${exact(above)}`;
}

function estimated(report) {
  return report.estimated.length > 0 && h("div", null, h("h3", null, "Estimated bucket counts"),
    text("div", "bounds", report.estimated.map((of) => h("div", { title: of.rule }, selector(of.rule.split(" -> ").at(-1)),
      text("span", "mono soft", of.boundaries.join(" ")),
      text("span", "soft", `wrong by at most ${percent(of.max_error)} of a series, ${percent(of.max_error_of_sum)} over all series`)))));
}

function lacks(heading, missing) {
  const byHint = new Map();
  for (const lack of missing) byHint.set(lack.hint, [...(byHint.get(lack.hint) ?? []), lack]);
  return missing.length > 0 && h("div", null, h("h3", null, heading),
    text("ul", "lacks", [...byHint].map(([hint, lacks]) => h("li", null,
      lacks.map((lack) => h("div", { title: lack.rules.join("\n") }, selector(lack.input))),
      text("p", null, prose(hint ?? "The pack gives no reason."))))));
}

export const findings = (report, missing) => text("div", "split",
  h("div", null, h("div", null, h("h3", null, "Families"), rules(report)), reasons(report)),
  h("div", null, lacks("Missing", missing.filter((lack) => !lack.optional)), lacks("Not exported (optional)", missing.filter((lack) => lack.optional)), estimated(report)));
