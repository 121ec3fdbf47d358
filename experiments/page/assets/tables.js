"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const HIGHER = new Set(["psnr", "ssim"]);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const plots = new Map();
function plot(node, traces, layout, name) {
  plots.set(node, [traces, layout, name]);
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true };
  const themed = {
    margin: { l: 55, r: 40, t: 55, b: 50 }, autosize: true, modebar: { orientation: "v", bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("accent") }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), family: "system-ui, sans-serif", size: 13 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    ...layout, xaxis: { ...axis, ...(layout.xaxis || {}) }, yaxis: { ...axis, ...(layout.yaxis || {}) },
  };
  const options = { responsive: true, displaylogo: false, toImageButtonOptions: { format: "svg", filename: name } };
  return Plotly.react(node, traces, themed, options);
}

function forgetPlots(view) {
  for (const node of [...plots.keys()]) if (view.contains(node)) { Plotly.purge(node); plots.delete(node); }
}

function download(name, content, kind) {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob([content], { type: kind })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function number(value, metric, sign = false) {
  if (value === null || value === undefined) return "";
  const text = value.toFixed(DATA.digits[metric] ?? 2);
  return sign && value >= 0 ? `+${text}` : text.replace("-", "−");
}

function valueCell(value, metric) {
  const cell = element("td");
  if (value.mean === null && value.seeds) cell.append("not finite");
  if (value.mean !== null) cell.append(number(value.mean, metric) + (value.spread === null ? "" : ` ± ${number(value.spread, metric)}`));
  if (value.printed === null) return cell;
  cell.append(element("small", {}, `printed ${number(value.printed, metric)}`));
  if (value.mean !== null) {
    const difference = value.mean - value.printed;
    const better = HIGHER.has(metric) ? difference >= 0 : difference <= 0;
    cell.append(element("small", { class: better ? "better" : "worse" }, number(difference, metric, true)));
  }
  return cell;
}

function tableNode(table) {
  const head = element("tr", {}, element("th", {}, ""));
  const heads = element("tr", {}, element("th", {}, "row"));
  for (const column of table.columns) {
    head.append(element("th", { colspan: table.metrics.length, scope: "colgroup" }, column));
    for (const metric of table.metrics) heads.append(element("th", { scope: "col" }, DATA.headings[metric]));
  }
  const body = element("tbody");
  for (const row of table.rows) {
    const line = element("tr", {}, element("td", {}, row));
    for (const column of table.columns) {
      const cell = table.cells.find((one) => one.row === row && one.column === column);
      if (!cell) { line.append(element("td", { colspan: table.metrics.length })); continue; }
      if (cell.status === "done") { for (const metric of table.metrics) line.append(valueCell(cell.values[metric], metric)); continue; }
      const printed = table.metrics.map((metric) => number(cell.values[metric].printed, metric)).filter(Boolean).join(" / ");
      line.append(element("td", { colspan: table.metrics.length, class: "absent" }, cell.reason, printed ? element("small", {}, `printed ${printed}`) : ""));
    }
    body.append(line);
  }
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title }, element("table", {}, element("thead", {}, head, heads), body));
}

function chartOf(table, node) {
  const metric = table.metrics[0], heading = DATA.headings[metric];
  const values = (column, key) => table.rows.map((row) => table.cells.find((one) => one.row === row && one.column === column)?.values[metric]?.[key] ?? null);
  if (table.kind === "bars") {
    const traces = table.columns.flatMap((column) => [
      { type: "bar", name: `${column}, ours`, x: table.rows, y: values(column, "mean") },
      { type: "bar", name: `${column}, printed`, x: table.rows, y: values(column, "printed"), opacity: 0.45 },
    ]);
    return plot(node, traces.filter((one) => one.y.some((y) => y !== null)), { barmode: "group", yaxis: { title: { text: heading }, rangemode: "normal" } }, table.name);
  }
  const ratios = table.rows.map((row) => parseFloat(row));
  const traces = table.columns.flatMap((column) => ["mean", "printed"].map((key) => {
    const found = values(column, key), known = found.filter((one) => one !== null);
    const least = known.length ? known[0] : 0;
    return { type: "scatter", mode: "lines+markers", name: `${column}, ${key === "mean" ? "ours" : "printed"}`, x: ratios,
      y: found.map((one) => (one === null ? null : one - least)), line: { dash: key === "mean" ? "solid" : "dot" },
      marker: { size: found.map((one) => (known.length && one === Math.max(...known) ? 14 : 7)) } };
  }));
  return plot(node, traces.filter((one) => one.y.some((y) => y !== null)), { xaxis: { title: { text: "synthesised scenes per observed one, r" } }, yaxis: { title: { text: `${heading} over r = 1` } } }, table.name);
}

function showTable(index) {
  const view = document.getElementById("table-view"), table = DATA.tables[index];
  forgetPlots(view);
  view.replaceChildren();
  if (!table) { view.append("The store holds no table."); return; }
  const kinds = { csv: "text/csv", tex: "application/x-tex", json: "application/json" };
  const buttons = Object.entries(kinds).map(([ending, kind]) => element("button", { type: "button", "data-export": ending,
    onclick: () => download(`${table.name.replaceAll("/", "_")}_${table.budget}.${ending}`, table.exports[ending], kind) }, { csv: "CSV", tex: "LaTeX", json: "JSON" }[ending]));
  view.append(element("h3", {}, table.title), element("p", { class: "note" }, element("b", {}, table.note), " ", table.protocol), tableNode(table),
    element("p", { class: "note" }, "ours ± standard deviation over seeds, the printed number, and ours less printed. "), element("div", { class: "bar" }, ...buttons));
  if (table.kind === "bars" || table.kind === "ratio") {
    const node = element("div", { class: "plot" });
    view.append(node);
    chartOf(table, node);
  }
}
