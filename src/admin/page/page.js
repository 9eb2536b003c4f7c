// The status page. Requests data from /api/ and inserts it as text, never as markup.

import { ask } from "./api.js";
import { $, h, pill } from "./dom.js";
import * as explain from "./explain.js";
import { ago, setSkew, sinceThen, span } from "./numbers.js";
import { drawOverview } from "./overview.js";
import { drawSettings } from "./settings.js";
import { drawStatsd, forget } from "./statsd.js";
import * as targets from "./targets.js";

const EVERY = 2000; // ms between two refreshes

const DRAW = {
  targets: async () => {
    const overview = await ask("api/overview");
    drawOverview(overview);
    targets.drawTargets(overview);
  },
  statsd: drawStatsd,
  explain: async () => explain.drawChoices(await ask("api/overview")),
  settings: drawSettings,
};

const VIEWS = Object.keys(DRAW);

async function drawStatus() {
  const status = await ask("api/status");
  setSkew(status.now - Date.now() / 1000);
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

function view() {
  const name = location.hash.slice(1);
  return VIEWS.includes(name) ? name : VIEWS[0];
}

async function draw() {
  try {
    await Promise.all([drawStatus(), DRAW[view()]()]);
    for (const time of document.querySelectorAll("time")) {
      const words = sinceThen(Number(time.dataset.at));
      if (time.textContent !== words) time.textContent = words;
    }
  } catch (error) {
    // Anything but a failed request is a bug of the page, which the console shows.
    if (!(error instanceof TypeError && /fetch/i.test(error.message))) console.error(error);
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
  forget();
  draw();
}

explain.listen();
targets.listen();
addEventListener("hashchange", turn);
document.addEventListener("visibilitychange", () => !document.hidden && draw());
setInterval(() => $("live").checked && !document.hidden && draw(), EVERY);
turn();
