// The state of the migration: which target is of which generation, and what is left to do.

import { $, copyable, h, prose, selector, show, text } from "./dom.js";

/** Names in a line; long lists can be unfolded. */
function names(all, most = 6) {
  const first = all.slice(0, most).join(", ");
  if (all.length <= most) return text("span", "names", first);
  return [text("span", "names", `${first} `), h("details", { class: "more" }, h("summary", null, `and ${all.length - most} more`), all.slice(most).join(", "))];
}

/** One part of the bar for each group, as wide as it has targets. */
function bar({ groups, text: words }) {
  const parts = groups.map(({ kind, targets }) => {
    const part = text("span", `part ${kind}`);
    part.style.flexGrow = targets;
    return part;
  });
  return h("div", { class: "bar", role: "img", "aria-label": words }, parts);
}

/** What the words old and new are for the packs in use. */
const legend = (packs) => text("p", "legend", packs.map(({ old, new: its }) => text("span", "pair",
  text("span", "key old"), `${old} is `, h("code", null, "old"), text("span", "key new"), `${its} is `, h("code", null, "new"))));

function drawSummary({ summary, legend: packs }) {
  show($("summary"), [summary, packs], () => [
    h("h2", { id: "summary-text" }, summary.text),
    summary.groups.length > 0 && bar(summary),
    h("p", { class: `advice ${summary.removable ? "good" : ""}`, id: "advice" }, prose(summary.advice)),
    legend(packs),
  ].filter(Boolean));
}

const reasons = (hints) => hints.map((hint) => h("p", null, prose(hint || "The pack gives no reason.")));

function item({ option, inputs, hints }) {
  return h("li", null,
    option && h("h4", null, h("code", null, option)),
    text("div", "inputs", inputs.map(selector)),
    option ? h("details", { class: "why" }, h("summary", null, "Why"), reasons(hints)) : reasons(hints));
}

const remedy = ({ targets, yaml, items }) => text("div", "remedy",
  h("h3", null, `${targets.length === 1 ? "Target" : `${targets.length} targets`}: `, names(targets)),
  text("div", yaml ? "split even" : "", text("ul", "lacks", items.map(item)), yaml && copyable(yaml, "Settings to copy")));

const missing = (remedies) => remedies.reduce((sum, { items }) => sum + items.reduce((sum, { inputs }) => sum + inputs.length, 0), 0);

function folded(remedies, heading, open) {
  if (!remedies.length) return null;
  return h("details", { class: "panel remedies", open }, h("summary", null, h("h2", null, heading)), remedies.map(remedy));
}

function drawRemedies({ remedies }) {
  show($("remedies"), remedies, () => {
    const needed = remedies.filter((its) => !its.optional);
    const optional = remedies.filter((its) => its.optional);
    return [
      folded(needed, `Missing metrics, and what to turn on (${missing(needed)})`, true),
      folded(optional, `Optional metrics that are not exported (${missing(optional)})`, false),
    ].filter(Boolean);
  });
}

/** Targets that emit different editions of a generation. */
const mixedEditions = ({ generation, editions, remedy }) => h("p", { class: "error" },
  `Targets emit different editions of the ${generation} generation, so sums of their buckets by `, h("code", null, "le"), " are wrong: ",
  editions.map(({ edition, targets }) => `${edition} (${targets.join(", ")})`).join(", "), ". Set ", h("code", null, remedy), " for all of them.");

export function drawOverview(overview) {
  drawSummary(overview);
  show($("fleet"), overview.mixed_editions, (mixed) => mixed.map(mixedEditions));
  drawRemedies(overview);
}
