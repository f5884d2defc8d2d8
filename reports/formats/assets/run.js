// The page of a run: draws its chart, and again when the width, the colours or the paper ask for it.
(function () {
  "use strict";
  const holder = document.getElementById("chart");
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const chart = drawChart(data, holder, document.getElementById("readout"));
  let printing = false, shut = [];
  new ResizeObserver(() => { if (!printing && holder.clientWidth !== chart.width()) chart.redraw(holder.clientWidth); }).observe(holder.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.redraw(holder.clientWidth));
  addEventListener("beforeprint", () => {
    printing = true; document.documentElement.dataset.print = "";
    shut = [...document.querySelectorAll("details:not([open])")].filter((each) => each.textContent.length < 4000);
    shut.forEach((each) => { each.open = true; });
    chart.printed();
  });
  addEventListener("afterprint", () => {
    printing = false; delete document.documentElement.dataset.print;
    shut.forEach((each) => { each.open = false; });
    chart.redraw(holder.clientWidth);
  });
})();
