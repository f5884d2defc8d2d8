// The live page: asks once a second how the run goes, and draws it.
(function () {
  "use strict";
  const here = document.body.dataset.here;
  const spot = (id) => document.getElementById(id);
  const labels = { acked: "acknowledged", safe: "refused, safely", unsafe: "refused, unsafely", indeterminate: "indeterminate", unsent: "never delivered", lost: "acknowledged and lost" };
  const comma = (number) => number.toLocaleString("en-US");
  let chart = null, before = null, hovering = false, drawn = "", last = null;

  function say(id, text) { if (spot(id).textContent !== text) spot(id).textContent = text; }
  function show(id, shown) { spot(id).hidden = !shown; }
  function made(tag, text, className) {
    const element = document.createElement(tag);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  }
  function marked(state, ...rest) {
    const line = made("li", "", "status-" + state);
    line.append(made("span", state, "status"), " ", ...rest);
    return line;
  }
  // Only what differs is touched, so that a screen reader or a selection is left alone.
  function list(id, lines) {
    const holder = spot(id), wanted = made("ul", "");
    wanted.append(...lines);
    if (holder.innerHTML !== wanted.innerHTML) holder.replaceChildren(...wanted.childNodes);
  }
  function links(name, files) {
    return files.flatMap((file) => {
      const link = made("a", file);
      link.href = here + "/runs/" + encodeURIComponent(name) + "/" + file;
      return [link, " "];
    });
  }

  function head(told) {
    const run = told.run, over = !told.busy, verdict = over ? told.verdict : null, campaign = told.campaign;
    const whole = over && campaign && campaign.sentence;
    const state = whole ? campaign.state : verdict ? verdict.state : "none";
    say("badge", !over ? "RUNNING" : state === "none" ? "IDLE" : state);
    spot("head").className = over ? "state-" + state : "state-RUNNING";
    const title = run ? (run.title || run.scenario) + " (" + run.pace + ")" : "alertstorm";
    say("what", whole ? campaign.sentence : verdict ? verdict.sentence : title);
    say("about", !(whole || verdict) ? "" : (whole ? "campaign " + campaign.name : title + " \u00b7 run " + run.run_id));
    show("about", whole || verdict);
    document.title = (over ? (state === "none" ? "idle" : state) : "running") + ": alertstorm";
  }

  function ended(told) {
    const verdict = told.busy ? null : told.verdict, run = told.run;
    show("verdict", verdict);
    if (!verdict) return;
    say("verdict-head", told.campaign ? "The last run: " + run.scenario : "Criteria");
    const lines = verdict.bad.map((finding) => marked(finding.status, made("code", finding.criterion), " ", finding.got, made("span", " (wanted " + finding.wanted + ")", "wanted")));
    if (verdict.good.length) lines.push(marked("PASS", verdict.good.join(", ")));
    list("findings", lines);
    list("files", links(run.run_id, verdict.files));
  }

  function whole(campaign) {
    show("campaign", campaign);
    if (!campaign) return;
    say("campaign-words", campaign.name + ": " + campaign.words);
    list("entries", campaign.entries.map((entry) => marked(entry.state, entry.name)).concat(campaign.files.length ? [made("li", "")] : []));
    if (campaign.files.length) spot("entries").lastChild.replaceChildren(...links(campaign.name, campaign.files));
  }

  function tell(told) {
    const run = told.run;
    say("now", told.error || (!told.busy && told.verdict) ? "" : told.line);
    say("error", told.error ? "The last run could not begin: " + told.error : "");
    say("problem", told.problem || "");
    show("live", run);
    show("stopping", told.busy);
    if (!told.busy) say("stopped", "");
    show("now-tiles", told.busy); show("probes-now", told.busy);
    say("chart-head", told.busy ? "The run so far, and the plan ahead" : "What happened");
    head(told); ended(told); whole(told.campaign);
    if (!run) return;
    say("phase", run.phase);
    say("elapsed", Math.min(run.elapsed_s, 1e6).toFixed(0) + " s of " + run.ends_s.toFixed(0) + " s");
    say("next", run.next ? run.next.verb + " " + run.next.fault : "none");
    say("countdown", run.next ? "in " + Math.max(0, run.next.in_s).toFixed(0) + " s" : "");
    say("faults", run.active.join(", ") || "none");
    say("breaker", "breaker " + (run.breaker || "not seen"));
    spot("faults-tile").className = "tile " + (run.active.length ? "status-FAIL" : "status-none");
    say("alerts", comma(run.begun) + " of " + comma(run.planned));
    say("counts", Object.entries(run.counts).map(([what, count]) => comma(count) + " " + what).join(", ") || "none answered");
    list("probes", run.probes.map((probe) => {
      const line = made("li", "", probe.ok ? "status-PASS" : "status-FAIL");
      line.append(made("span", probe.ok ? "OK" : "NO", "status"), " " + probe.name + ": " + probe.words);
      return line;
    }));
  }

  // The list of runs as the server writes it, without loading the page anew: the verdict stays in sight.
  async function listRuns() {
    const answer = await fetch(here);
    if (answer.redirected || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    spot("runs").replaceChildren(...page.getElementById("runs").childNodes);
  }

  function draw(data) {
    const holder = spot("chart");
    const now = JSON.stringify(data) + holder.clientWidth;
    if (!data || hovering || now === drawn || !holder.clientWidth) return;
    drawn = now;
    const classes = Object.keys(labels).filter((name) => data.rates[name].some((rate) => rate));
    spot("legend").replaceChildren(...classes.map((name) => {
      const line = made("li", ""), glyph = made("span", "", "glyph");
      glyph.dataset.class = name;
      line.append(glyph, labels[name] + " ", made("b", comma(Math.round(data.rates[name].reduce((sum, rate) => sum + rate * data.bucket_s, 0)))));
      return line;
    }));
    say("thinned", data.window_s ? "Of each outcome and every " + data.window_s.toPrecision(2) + " s the slowest answer is drawn." : "");
    if (chart) chart.destroy();
    chart = drawChart({ ...data, labels }, holder, spot("readout"));
  }

  async function ask() {
    try {
      const answer = await fetch(here + "/state", { headers: { Accept: "application/json" } });
      if (answer.redirected || !(answer.headers.get("Content-Type") || "").includes("json")) throw new Error("sign in again");
      const told = await answer.json();
      tell(told);
      last = told.chart;
      draw(last);
      const state = told.busy + (told.run ? told.run.run_id : "") + (told.campaign ? told.campaign.words + told.campaign.sentence : "");
      if (before !== null && before !== state) await listRuns();
      before = state;
    } catch (problem) {
      say("now", "No answer from Locust: " + problem.message);
    }
    setTimeout(ask, 1000);
  }

  new ResizeObserver(() => draw(last)).observe(spot("live"));
  spot("chart").addEventListener("mouseenter", () => { hovering = true; });
  spot("chart").addEventListener("mouseleave", () => { hovering = false; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { drawn = ""; });
  spot("stop").addEventListener("click", () => spot("sure").showModal());
  spot("no").addEventListener("click", () => spot("sure").close());
  spot("yes").addEventListener("click", async () => {
    spot("sure").close();
    const answer = await fetch(here + "/stop", { method: "POST" }).catch((problem) => ({ problem }));
    const told = answer.json ? await answer.json().catch(() => ({})) : {};
    // Only the answer that says so: where the login is over there is a page, and it is no stop.
    const why = answer.redirected ? "sign in again" : told.error || answer.problem || answer.status;
    say("stopped", answer.status === 202 ? "Stopping: faults are being healed." : "NOT STOPPED: " + why);
  });
  ask();
})();
