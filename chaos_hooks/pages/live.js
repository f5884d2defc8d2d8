// The live page: asks once a second how the run goes, and draws it.
(function () {
  "use strict";
  const here = document.body.dataset.here;
  const spot = (id) => document.getElementById(id);
  const labels = { acked: "acknowledged", safe: "refused", indeterminate: "indeterminate", unsent: "never delivered", lost: "lost" };
  const comma = (number) => number.toLocaleString("en-US");
  let chart = null, before = null, hovering = false, drawn = "", last = null;

  function say(id, text) { if (spot(id).textContent !== text) spot(id).textContent = text; }

  function tell(told) {
    const run = told.run;
    say("now", told.error ? "" : told.line);
    say("error", told.error ? "The last run could not begin: " + told.error : "");
    spot("live").hidden = !run;
    spot("stop").hidden = !told.busy;
    say("badge", told.busy ? "RUNNING" : "IDLE");
    spot("head").className = told.busy ? "state-RUNNING" : "state-none";
    if (!run) return;
    say("what", (run.title || run.scenario) + " (" + run.pace + ")");
    say("phase", told.busy ? run.phase : "over");
    say("elapsed", !told.busy ? run.run_id : Math.min(run.elapsed_s, 1e6).toFixed(0) + " s of " + run.ends_s.toFixed(0) + " s");
    say("next", run.next ? run.next.verb + " " + run.next.fault : "none");
    say("countdown", run.next ? "in " + Math.max(0, run.next.in_s).toFixed(0) + " s" : "");
    say("faults", run.active.join(", ") || "none");
    say("breaker", "breaker " + (run.breaker || "not seen"));
    spot("faults-tile").className = "tile " + (run.active.length ? "status-FAIL" : "status-none");
    say("alerts", comma(run.begun) + " of " + comma(run.planned));
    say("counts", Object.entries(run.counts).filter(([, count]) => count).map(([what, count]) => comma(count) + " " + what).join(", ") || "none answered");
    spot("probes").replaceChildren(...run.probes.map((probe) => {
      const line = document.createElement("li"), mark = document.createElement("span");
      line.className = probe.ok ? "status-PASS" : "status-FAIL"; mark.className = "status";
      mark.textContent = probe.ok ? "OK" : "NO";
      line.append(mark, " " + probe.name + ": " + probe.words);
      return line;
    }));
  }

  function draw(data) {
    const holder = spot("chart");
    const now = JSON.stringify(data) + holder.clientWidth;
    if (!data || hovering || now === drawn || !holder.clientWidth) return;
    drawn = now;
    const classes = Object.keys(labels).filter((name) => name !== "lost" && data.rates[name].some((rate) => rate));
    spot("legend").replaceChildren(...classes.map((name) => {
      const line = document.createElement("li"), glyph = document.createElement("span");
      glyph.className = "glyph"; glyph.dataset.class = name;
      line.append(glyph, labels[name]);
      return line;
    }));
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
      if (before && !told.busy) { location.reload(); return; }
      before = told.busy;
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
    const answer = await fetch(here + "/stop", { method: "POST" });
    const told = await answer.json().catch(() => ({}));
    say("stopped", answer.ok ? "Stopping: faults are being healed." : "Not stopped: " + (told.error || answer.status));
  });
  ask();
})();
