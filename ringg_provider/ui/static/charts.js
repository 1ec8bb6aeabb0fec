"use strict";

// Draws the charts of a page from the data beside them. Colours are classes, so that the style sheet decides them.

const HEIGHT = 244;
const BAR = 26;
const GAP = 6;
const WIDEST = 72;

const pen = document.createElement("canvas").getContext("2d");
pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
const long = (text) => pen.measureText(text).width;

function words(value, unit) {
  return value === null ? "–" : `${value.toLocaleString("en")}${unit}`;
}

function draw(place) {
  const chart = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const width = Math.max(280, place.clientWidth);
  const lying = chart.form === "bars";
  place.replaceChildren();
  const totals = chart.labels.map((_, n) => d3.sum(chart.series, (each) => each.values[n] || 0));
  const most = chart.unit === "%" ? Math.min(100, Math.max(10, d3.max(totals) * 1.15)) : d3.max(totals) || 1;

  const legend = chart.series.length > 1 || chart.shaded.length ? d3.select(place).append("p").attr("class", "legend") : null;
  if (legend) {
    for (const each of chart.series) {
      legend.append("span").attr("class", `key ${each.tone}`);
      legend.append("span").text(each.name);
    }
    if (chart.shaded.length) {
      legend.append("span").attr("class", "key lawful");
      legend.append("span").text("lawful hours");
    }
  }

  const left = lying ? Math.min(width * 0.45, 12 + d3.max(chart.labels, long)) : 52;
  const right = lying ? 76 : 12;
  const top = chart.marks.length ? 34 : 10;
  const bottom = lying ? 8 : 28;
  const height = lying ? chart.labels.length * (BAR + GAP) + 16 : HEIGHT;
  const svg = d3
    .select(place)
    .append("svg")
    .attr("width", width)
    .attr("height", height)
    .attr("viewBox", `0 0 ${width} ${height}`)
    .attr("tabindex", 0)
    .attr("role", "img")
    .attr("aria-label", `${place.dataset.title}. Arrow keys read the values.`);
  const along = d3.scale
    .ordinal()
    .domain(d3.range(chart.labels.length))
    .rangeBands(lying ? [8, height - 8] : [left, width - right], lying ? 0.2 : chart.labels.length > 60 ? 0 : 0.15, 0);
  const far = d3.scale.linear().domain([0, most]).range(lying ? [left, width - right] : [height - bottom, top]);
  if (!lying && chart.unit !== "%") far.nice(4);

  const step = (width - left - right) / Math.max(1, chart.labels.length);
  const at = (position) => left + position * step;
  for (const [from, to] of chart.shaded) {
    svg
      .append("rect")
      .attr("class", "lawful")
      .attr("x", at(from))
      .attr("width", Math.max(0, at(to) - at(from)))
      .attr("y", top)
      .attr("height", height - bottom - top);
  }

  if (lying) {
    chart.labels.forEach((label, n) => {
      const room = Math.floor((label.length * (left - 10)) / long(label));
      svg
        .append("text")
        .attr("class", "label")
        .attr("x", left - 8)
        .attr("y", along(n) + along.rangeBand() / 2)
        .attr("dy", "0.35em")
        .attr("text-anchor", "end")
        .text(label.length > room ? `${label.slice(0, room - 1)}…` : label);
    });
  } else {
    svg
      .append("g")
      .attr("class", "axis")
      .attr("transform", `translate(${left},0)`)
      .call(d3.svg.axis().scale(far).orient("left").ticks(chart.unit ? 4 : Math.min(4, far.domain()[1])).tickSize(-(width - left - right), 0).tickFormat((value) => words(value, chart.unit)));
    const longest = d3.max(chart.labels, long) + 16;
    const every = Math.ceil((longest * chart.labels.length) / (width - left - right));
    chart.labels.forEach((label, n) => {
      const start = chart.shaded.length ? at(n) : 0;
      if (n % every || start + long(label) > width) return;
      svg
        .append("text")
        .attr("class", "label")
        .attr("x", chart.shaded.length ? start : along(n) + along.rangeBand() / 2)
        .attr("y", height - bottom + 18)
        .attr("text-anchor", chart.shaded.length ? "start" : "middle")
        .text(label);
    });
  }

  const thick = Math.min(Math.max(along.rangeBand(), 1), WIDEST);
  const inset = (along.rangeBand() - thick) / 2;
  const bars = chart.labels.map((label, n) => {
    const group = svg.append("g").attr("class", "bar");
    let from = 0;
    for (const each of chart.series) {
      const value = each.values[n] || 0;
      const [one, other] = [far(from), far(from + value)];
      group
        .append("rect")
        .attr("class", `fill-${each.tone}`)
        .attr(lying ? "y" : "x", along(n) + inset)
        .attr(lying ? "height" : "width", thick)
        .attr(lying ? "x" : "y", Math.min(one, other))
        .attr(lying ? "width" : "height", Math.abs(other - one));
      from += value;
    }
    if (lying) {
      group
        .append("text")
        .attr("class", "value")
        .attr("x", far(from) + 6)
        .attr("y", along(n) + along.rangeBand() / 2)
        .attr("dy", "0.35em")
        .text(words(totals[n], chart.unit));
    }
    return group;
  });

  chart.marks.forEach(([position, text], n) => {
    const x = at(position);
    svg.append("line").attr("class", "mark").attr("x1", x).attr("x2", x).attr("y1", 14 * n + 12).attr("y2", height - bottom);
    const past = x > width / 2;
    svg
      .append("text")
      .attr("class", "mark")
      .attr("x", past ? x - 5 : x + 5)
      .attr("y", 14 * n + 12)
      .attr("text-anchor", past ? "end" : "start")
      .text(text);
  });

  const readout = d3.select(place).append("p").attr("class", "readout").attr("aria-live", "polite");
  let read = -1;
  function show(n) {
    bars.forEach((bar, other) => bar.classed("read", other === n));
    read = n;
    if (n < 0) return readout.text("");
    const told = chart.series.map((each) => `${each.name} ${words(each.values[n], chart.unit)}`);
    return readout.text(`${chart.labels[n]}: ${told.join(", ")}`);
  }
  const node = svg.node();
  node.addEventListener("mousemove", (event) => {
    const box = node.getBoundingClientRect();
    const place = lying ? (event.clientY - box.top - 8) / (height - 16) : (event.clientX - box.left - left) / (width - left - right);
    const n = Math.floor(place * chart.labels.length);
    show(n >= 0 && n < chart.labels.length ? n : -1);
  });
  node.addEventListener("mouseleave", () => show(-1));
  node.addEventListener("blur", () => show(-1));
  node.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const last = chart.labels.length - 1;
    if (event.key in steps) show(Math.max(0, Math.min(last, read + steps[event.key])));
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(last);
    else return;
    event.preventDefault();
  });
}

function drawAll() {
  document.querySelectorAll(".drawing").forEach(draw);
}

drawAll();
let waiting = 0;
let drawnAt = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === drawnAt) return;
  drawnAt = window.innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
});
