// Draws the one chart of a page: latencies on top, states and faults in the middle, outcomes below.
// The page of a run draws it once; the live page draws it anew with each answer.
function drawChart(data, holder, readout) {
  "use strict";
  const order = ["acked", "unsent", "indeterminate", "safe", "unsafe", "lost"];
  const TOP = 20, BOTTOM = 26, LANE = 27, PRINT_WIDTH = 690;
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const undo = (steps) => { let at = 0; return steps.map((step) => (at += step) / 1000); };
  const points = {};
  for (const name of order) points[name] = { at: undo(data.points[name].at_ms), took: data.points[name].took_ms };
  const lostAt = undo(data.lost_ms);

  const lanes = [];
  for (const band of data.bands) {
    lanes.push({ name: "fault " + band.name + ", asked", spans: [[band.asked[0], band.asked[1], "asked"]], kind: "asked" });
    lanes.push({ name: "fault " + band.name + ", " + band.words, spans: band.seen ? [[band.seen[0], band.seen[1], "on"]] : [], kind: "seen" });
  }
  for (const lane of data.lanes) lanes.push({ name: lane.name, spans: lane.spans, kind: "state" });
  if (lostAt.length) lanes.push({ name: "lost alerts, by due time", spans: [], kind: "lost" });
  const lanesHeight = lanes.length * LANE + 36;
  const withLatency = data.latency !== false;
  const height = withLatency ? Math.max(430, 330 + lanesHeight) : 190 + lanesHeight;
  const plot = height - TOP - BOTTOM;
  const share = (plot - lanesHeight) / (withLatency ? 2 : 1) / plot, above = withLatency ? share : 0;

  const buckets = data.rates.acked.length;
  const total = Array.from({ length: buckets }, (_, i) => order.reduce((sum, name) => sum + data.rates[name][i], 0));
  const peak = Math.max(1, ...total);
  const slowest = new Array(buckets).fill(null);
  let low = Infinity, high = 0;
  for (const name of order) points[name].at.forEach((at, i) => {
    const took = points[name].took[i], bucket = Math.min(buckets - 1, Math.floor(at / data.bucket_s));
    low = Math.min(low, took); high = Math.max(high, took);
    slowest[bucket] = Math.max(slowest[bucket] || 0, took);
  });
  const decades = high > 0;
  low = Math.pow(10, Math.floor(Math.log10(Math.max(low, 0.1))));
  high = Math.max(low * 10, Math.pow(10, Math.ceil(Math.log10(Math.max(high, low)))));
  if (!decades) { low = 1; high = 1000; }

  // A texture for each class, so that the chart can be read without its colours.
  function texture(ctx, name, ratio) {
    const size = 6 * ratio, tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.fillStyle = ink(name); pen.fillRect(0, 0, size, size);
    pen.strokeStyle = pen.fillStyle = ink("page"); pen.lineWidth = ratio;
    const line = (x0, y0, x1, y1) => { pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); };
    if (name === "safe" || name === "unsafe") { line(0, size, size, 0); line(-1, 1, 1, -1); line(size - 1, size + 1, size + 1, size - 1); }
    if (name === "unsafe") { line(0, 0, size, size); }
    if (name === "indeterminate") { pen.beginPath(); pen.arc(size / 2, size / 2, size / 4.5, 0, 7); pen.fill(); }
    if (name === "unsent") { line(0, size / 2, size, size / 2); }
    return ctx.createPattern(tile, "repeat");
  }

  function mark(ctx, name, x, y, ratio) {
    const r = (name === "lost" ? 5 : name === "acked" ? 1.6 : 3.2) * ratio;
    ctx.beginPath();
    if (name === "acked") { ctx.arc(x, y, r, 0, 7); ctx.fill(); return; }
    if (name === "lost") { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath(); ctx.fill(); return; }
    if (name === "safe") { ctx.moveTo(x - r, y); ctx.lineTo(x + r, y); ctx.moveTo(x, y - r); ctx.lineTo(x, y + r); }
    if (name === "unsafe") { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x - r, y + r); ctx.lineTo(x + r, y - r); }
    if (name === "indeterminate") { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y + r); ctx.lineTo(x - r, y + r); ctx.closePath(); }
    if (name === "unsent") { ctx.rect(x - r, y - r, 2 * r, 2 * r); }
    ctx.stroke();
  }

  function clipped(u, draw) {
    const ctx = u.ctx, box = u.bbox;
    ctx.save(); ctx.beginPath(); ctx.rect(box.left, box.top, box.width, box.height); ctx.clip();
    draw(ctx, box, uPlot.pxRatio, (seconds) => u.valToPos(seconds, "x", true));
    ctx.restore();
  }

  function words(ctx, text, x, y, ratio, tone, align) {
    ctx.font = 11 * ratio + "px system-ui, sans-serif"; ctx.textBaseline = "middle"; ctx.textAlign = align || "left";
    ctx.fillStyle = ink(tone); ctx.fillText(text, x, y);
  }

  // Behind everything: faults as shades, phases as dotted lines with their names on top.
  function behind(u) {
    clipped(u, (ctx, box, ratio, at) => {
      ctx.fillStyle = ink("band");
      for (const band of data.bands) if (band.seen && band.bit !== false) ctx.fillRect(at(band.seen[0]), box.top, at(band.seen[1]) - at(band.seen[0]), box.height);
    });
    const ctx = u.ctx, box = u.bbox, ratio = uPlot.pxRatio;
    ctx.save();
    let free = -Infinity;
    data.phases.forEach(([name, begin, end]) => {
      if (u.valToPos(end, "x", true) <= box.left || u.valToPos(begin, "x", true) > box.left + box.width) return;
      const x = Math.max(box.left, u.valToPos(begin, "x", true));
      ctx.strokeStyle = ink("soft"); ctx.lineWidth = ratio; ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath(); ctx.moveTo(x, box.top - 14 * ratio); ctx.lineTo(x, box.top + box.height); ctx.stroke();
      if (x >= free) {
        words(ctx, name, x + 3 * ratio, box.top - 9 * ratio, ratio, "soft");
        free = x + ctx.measureText(name).width + 8 * ratio;
      }
    });
    ctx.restore();
  }

  function bars(u) {
    clipped(u, (ctx, box, ratio, at) => {
      const fills = {};
      for (const name of order) fills[name] = texture(ctx, name, ratio);
      for (let i = 0; i < buckets; i++) {
        const left = at(i * data.bucket_s), right = at((i + 1) * data.bucket_s);
        const gap = right - left > 4 * ratio ? ratio : 0;
        let sum = 0;
        for (const name of order) {
          const rate = data.rates[name][i];
          if (!rate) continue;
          const low = u.valToPos(sum, "rate", true), top = u.valToPos(sum += rate, "rate", true);
          ctx.fillStyle = fills[name]; ctx.fillRect(left, top, right - left - gap, low - top);
        }
      }
    });
  }

  function latencies(u) {
    clipped(u, (ctx, box, ratio, at) => {
      for (const name of order) {
        ctx.fillStyle = ctx.strokeStyle = ink(name); ctx.lineWidth = 1.3 * ratio;
        ctx.globalAlpha = name === "acked" ? 0.7 : 1;
        points[name].at.forEach((seconds, i) => mark(ctx, name, at(seconds), u.valToPos(Math.max(low, points[name].took[i]), "ms", true), ratio));
      }
      ctx.globalAlpha = 1;
    });
  }

  function span(ctx, lane, [, , state], x, width, y, tall, ratio) {
    const good = ["closed", "ready"].includes(state), half = state === "half-open";
    const depth = good ? 3 * ratio : half ? tall / 2 : tall;
    if (lane.kind === "asked") {
      ctx.strokeStyle = ink("soft"); ctx.lineWidth = 1.5 * ratio; ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.strokeRect(x, y + ratio, width, tall - 2 * ratio); ctx.setLineDash([]);
      return;
    }
    ctx.fillStyle = ink(lane.kind === "seen" ? "fail" : good ? "pass" : half ? "safe" : "unsafe");
    ctx.fillRect(x, y + tall - depth, Math.max(width, ratio), depth);
    if (lane.kind === "state" && !good) {
      ctx.font = "600 " + 10.5 * ratio + "px system-ui, sans-serif";
      if (ctx.measureText(state).width < width - 6 * ratio && !half) { ctx.textBaseline = "middle"; ctx.textAlign = "left"; ctx.fillStyle = ink("page"); ctx.fillText(state, x + 4 * ratio, y + tall / 2 + ratio); }
    }
  }

  function middle(u) {
    clipped(u, (ctx, box, ratio, at) => {
      const top = box.top + box.height * above + 12 * ratio, tall = 11 * ratio;
      lanes.forEach((lane, n) => {
        const y = top + n * LANE * ratio + 13 * ratio;
        ctx.fillStyle = ink("lane"); ctx.fillRect(box.left, y + tall - ratio, box.width, ratio);
        for (const each of lane.spans) span(ctx, lane, each, at(each[0]), at(each[1]) - at(each[0]), y, tall, ratio);
        if (lane.kind === "lost") {
          ctx.strokeStyle = ink("lost"); ctx.lineWidth = 2 * ratio; ctx.beginPath();
          for (const seconds of lostAt) { ctx.moveTo(at(seconds), y - 2 * ratio); ctx.lineTo(at(seconds), y + tall); }
          ctx.stroke();
        }
        words(ctx, lane.name, box.left + 4 * ratio, y - 6 * ratio, ratio, "soft");
      });
      if (withLatency) words(ctx, "latency, ms", box.left + 4 * ratio, box.top + 8 * ratio, ratio, "soft");
      words(ctx, "alerts per second", box.left + 4 * ratio, box.top + box.height * (1 - share) - 9 * ratio, ratio, "soft");
      if (data.now_s != null) {
        ctx.strokeStyle = ink("ink"); ctx.lineWidth = 1.5 * ratio; ctx.setLineDash([]);
        ctx.beginPath(); ctx.moveTo(at(data.now_s), box.top); ctx.lineTo(at(data.now_s), box.top + box.height); ctx.stroke();
        const room = at(data.now_s) + 40 * ratio < box.left + box.width;
        words(ctx, "now", at(data.now_s) + (room ? 4 : -4) * ratio, box.top + box.height - 8 * ratio, ratio, "ink", room ? "left" : "right");
      }
      data.recovered.forEach(([earliest, latest]) => {
        ctx.fillStyle = ctx.strokeStyle = ink("pass"); ctx.lineWidth = 1.5 * ratio;
        ctx.globalAlpha = 0.25; ctx.fillRect(at(earliest), box.top, at(latest) - at(earliest), box.height); ctx.globalAlpha = 1;
        ctx.beginPath(); ctx.moveTo(at(latest), box.top); ctx.lineTo(at(latest), box.top + box.height); ctx.stroke();
        const right = at(latest) + 80 * ratio < box.left + box.width;
        words(ctx, "recovered", at(latest) + (right ? 4 : -4) * ratio, box.top + 8 * ratio, ratio, "pass", right ? "left" : "right");
      });
    });
  }

  const comma = (number) => number.toLocaleString("en-US", { maximumFractionDigits: 1 });
  function read(u) {
    const i = u.cursor.idx;
    if (i == null) { readout.textContent = "\u00a0"; return; }
    const seconds = u.posToVal(u.cursor.left, "x"), parts = [];
    for (const name of order) if (data.rates[name][i]) parts.push(comma(data.rates[name][i]) + "/s " + data.labels[name]);
    if (slowest[i] != null) parts.push("slowest " + comma(slowest[i]) + " ms");
    for (const lane of data.lanes) {
      const now = lane.spans.find(([begin, end]) => begin <= seconds && seconds < end);
      parts.push(lane.name + " " + (now ? now[2] : "not seen"));
    }
    readout.textContent = seconds.toFixed(1) + " s: " + parts.join(", ");
  }

  function ticks(most) {
    const rough = most / 4, unit = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough), found = [];
    for (let at = 0; at <= most; at += step) found.push(at);
    return found;
  }

  function axis(scale, side, splits, grid) {
    return {
      scale, side, splits, size: side === 2 ? BOTTOM : 46, gap: 4,
      stroke: () => ink("soft"), font: "11px system-ui, sans-serif",
      grid: { show: grid, stroke: () => ink("grid"), width: 1 }, ticks: { show: false },
      values: (u, all) => all.map((value) => comma(value)),
    };
  }

  const powers = [];
  for (let at = low; at <= high * 1.01; at *= 10) powers.push(at);
  const seconds = axis("x", 2, undefined, false);
  delete seconds.splits;
  seconds.values = (u, all) => all.map((value) => comma(value) + " s");
  const chart = new uPlot({
    width: holder.clientWidth, height, padding: [TOP, 4, 0, 4], legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
    scales: {
      x: { time: false, range: (u, from, to) => (from <= data.bucket_s / 2 && to >= data.end_s - data.bucket_s ? [0, data.end_s] : [Math.max(0, from), Math.min(data.end_s, to)]) },
      rate: { range: () => [0, peak / share] },
      ms: { distr: 3, range: () => [low / Math.pow(high / low, (1 - share) / share), high] },
    },
    axes: [seconds, axis("rate", 3, () => ticks(peak), true), ...(withLatency ? [axis("ms", 1, () => powers, true)] : [])],
    series: [{}, { scale: "rate", paths: () => null, points: { show: false } }, { scale: "ms", paths: () => null, points: { show: false } }],
    hooks: { drawClear: [behind], draw: [bars, latencies, middle], setCursor: [read] },
  }, [total.map((_, i) => (i + 0.5) * data.bucket_s), total, slowest], holder);

  function glyphs() {
    for (const spot of document.querySelectorAll(".glyph")) {
      const canvas = document.createElement("canvas"), ratio = 2, name = spot.dataset.class;
      canvas.width = 34 * ratio; canvas.height = 14 * ratio;
      const ctx = canvas.getContext("2d");
      ctx.fillStyle = texture(ctx, name, ratio); ctx.fillRect(0, 0, 16 * ratio, 14 * ratio);
      ctx.fillStyle = ctx.strokeStyle = ink(name); ctx.lineWidth = 1.3 * ratio;
      mark(ctx, name, 26 * ratio, 7 * ratio, ratio);
      spot.replaceChildren(canvas);
    }
  }
  const redraw = (width) => { chart.setSize({ width, height }); chart.redraw(); glyphs(); };
  glyphs();
  return { redraw, printed: () => redraw(PRINT_WIDTH), width: () => chart.width, destroy: () => chart.destroy() };
}
