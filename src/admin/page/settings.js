// The active settings.

import { ask } from "./api.js";
import { $, h, show, text } from "./dom.js";

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

export async function drawSettings() {
  const { settings } = await ask("api/settings");
  show($("settings"), settings, (settings) => {
    const out = [];
    yaml(settings, "", out);
    return h("code", null, ...out);
  });
}
