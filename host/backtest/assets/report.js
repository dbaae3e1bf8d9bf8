// Draws the charts of a report from the data in the page. Nothing is loaded from anywhere.
"use strict";
(() => {
  const charts = LightweightCharts;
  const data = JSON.parse(document.getElementById("data").textContent);
  const drawn = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faint = (name) => `${colour(name)}33`;

  const chart = (id, places) => {
    const made = charts.createChart(document.getElementById(id), {
      autoSize: true,
      // The notice and the link stand at the end of the page: a link within an image can't be reached.
      layout: { attributionLogo: false },
      timeScale: { timeVisible: true, minBarSpacing: 0.001 },
      handleScroll: { mouseWheel: false },
      handleScale: { mouseWheel: false },
      localization: { priceFormatter: (value) => value.toFixed(places) },
    });
    return made;
  };
  const points = (columns, name) => columns.time.map((time, place) => ({ time, value: columns[name][place] }));

  const equity = chart("equity", 2);
  const line = equity.addSeries(charts.LineSeries, { lineWidth: 2, priceLineVisible: false });
  line.setData(points(data.equity, "equity"));
  const held = equity.addSeries(charts.LineSeries, { lineWidth: 1, priceLineVisible: false });
  held.setData(points(data.days, "hold"));
  drawn.push(() => {
    line.applyOptions({ color: colour("equity") });
    held.applyOptions({ color: colour("other") });
  }, equity);

  const below = chart("drawdown", 2);
  const area = below.addSeries(charts.AreaSeries, { lineWidth: 1, priceLineVisible: false });
  area.setData(points(data.equity, "drawdown"));
  drawn.push(() => area.applyOptions({ lineColor: colour("loss"), topColor: faint("loss"), bottomColor: faint("loss") }), below);

  data.series.forEach((series, place) => {
    const prices = chart(`candles-${place}`, series.places);
    const bars = prices.addSeries(charts.CandlestickSeries, { priceLineVisible: false });
    bars.setData(series.time.map((time, bar) => ({
      time, open: series.open[bar], high: series.high[bar], low: series.low[bar], close: series.close[bar],
    })));
    const marks = charts.createSeriesMarkers(bars, []);
    drawn.push(() => {
      bars.applyOptions({
        upColor: colour("up"), wickUpColor: colour("up"), downColor: colour("down"), wickDownColor: colour("down"),
        borderVisible: false,
      });
      marks.setMarkers(series.marks.map(([time, kind, won]) => {
        const isEntry = kind === "long" || kind === "short";
        const isBelow = kind === "long" || kind === "exit of short";
        return {
          time,
          position: isBelow ? "belowBar" : "aboveBar",
          shape: isEntry ? (isBelow ? "arrowUp" : "arrowDown") : "circle",
          color: isEntry ? colour("equity") : colour(won ? "gain" : "loss"),
          size: isEntry ? 1 : 0.6,
        };
      }));
    }, prices);
  });

  const paint = () => {
    for (const item of drawn) {
      if (typeof item === "function") {
        item();
      } else {
        item.applyOptions({
          layout: { background: { color: colour("ground") }, textColor: colour("ink") },
          grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
          rightPriceScale: { borderColor: colour("line") },
          timeScale: { borderColor: colour("line") },
        });
      }
    }
  };
  paint();
  for (const item of drawn) {
    if (typeof item !== "function") {
      item.timeScale().fitContent();
    }
  }
  // A page that turns dark, and one that goes to the printer.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  matchMedia("print").addEventListener("change", paint);
  document.documentElement.dataset.drawn = String(document.querySelectorAll(".chart canvas").length);
})();
