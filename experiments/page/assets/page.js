"use strict";
function fillChoice(id, labels, show) {
  const choice = document.getElementById(id);
  choice.append(...labels.map((label, index) => element("option", { value: index }, label)));
  choice.addEventListener("change", () => show(+choice.value));
  if (labels.length) show(0);
  else { const section = choice.closest("section"); section.querySelector(".bar").remove(); section.append(element("p", { class: "note" }, "No run of this store left any.")); }
}

function showStages(index) {
  const pictures = DATA.stages[index].pictures, view = document.getElementById("stage-view"), groups = new Map();
  for (const [name, picture] of Object.entries(pictures)) {
    const [group, ...rest] = name.split("/");
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push([rest.join(" ").replace(/ (\d+)$/, (_, digit) => ` ${+digit + 1}`), picture]);
  }
  view.replaceChildren();
  for (const [group, members] of groups) {
    view.append(element("h3", {}, `Observed scene ${+group + 1}`), element("div", { class: "pictures" }, ...members.map(([name, picture]) =>
      element("figure", {}, element("a", { href: picture, download: `${name}.png` }, element("img", { src: picture, alt: name })), element("figcaption", {}, name)))));
  }
}

function showPlane(index) {
  const view = document.getElementById("plane-view");
  forgetPlots(view);
  view.replaceChildren();
  for (const [space, sets] of Object.entries(DATA.planes[index].spaces)) {
    const node = element("div", { class: "plot" });
    view.append(element("h3", {}, space === "spectra" ? "Spectra of pixels" : "RGB patches"), node);
    const symbols = { degraded: "x", proxy: "circle", synthesised: "diamond", clean: "square" };
    const traces = Object.entries(sets).map(([name, points]) => ({ type: "scatter", mode: "markers", name, x: points.map((one) => one[0]), y: points.map((one) => one[1]), marker: { size: 7, opacity: 0.75, symbol: symbols[name] || "circle" } }));
    plot(node, traces, { xaxis: { showticklabels: false }, yaxis: { showticklabels: false } }, `tsne_${space}`);
  }
}

function showNoise() {
  const view = document.getElementById("noise-view"), kinds = new Map();
  for (const run of Object.values(DATA.runs)) if (run.facts.degradation) kinds.set(JSON.stringify(run.facts.degradation), run.facts.degradation);
  for (const one of kinds.values()) {
    const { kind, ...settings } = one;
    view.append(element("p", { class: "note" }, element("b", {}, kind), " ", Object.entries(settings).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value, (_, one) => (typeof one === "number" ? +one.toPrecision(4) : one)).replaceAll(",", ", ")}`).join(", ")));
  }
  for (const one of DATA.noise) {
    const node = element("div", { class: "plot" });
    view.append(element("h3", {}, `Estimated from the observations · ${one.label}`), node);
    const traces = Object.entries(one.scenes).map(([name, scene]) => ({ type: "scatter", mode: "lines+markers", name: `${name} (${scene.family})`, y: scene.sigma.map((sigma) => (sigma === null ? null : sigma * 255)) }));
    plot(node, traces, { xaxis: { title: { text: "band" } }, yaxis: { title: { text: "standard deviation (of 255)" }, rangemode: "tozero" } }, "noise");
  }
  if (!view.childElementCount) view.append("No run of this store says how its observations came about.");
}

function showRuns() {
  const view = document.getElementById("run-view");
  for (const [digest, run] of Object.entries(DATA.runs)) {
    const facts = Object.entries(run.facts).filter(([, value]) => typeof value === "number").map(([name, value]) => `${name} ${+value.toPrecision(4)}`).join(", ");
    const scenes = element("ul", {}, ...run.scenes.map((one) => element("li", {}, `${one.test_set} ${one.scene}: ${one.psnr?.toFixed(2)} dB, SSIM ${one.ssim?.toFixed(4)}, SAM ${one.sam?.toFixed(2)}°`)));
    view.append(element("details", {}, element("summary", {}, `${run.label} · ${run.seconds.toFixed(0)} s, ${run.memory.toFixed(1)} GiB`),
      element("p", { class: "note" }, element("code", {}, `hyperalign ${run.command} ${run.words.join(" ")}`)),
      element("p", { class: "note" }, `run ${digest}, source ${run.source ?? "none"}; ${facts}. Protocol: ${run.protocol}`), scenes,
      element("p", { class: "note" }, `commit ${run.provenance.commit || "unknown"}, ${run.provenance.time || ""}, ${Object.entries(run.provenance.versions || {}).map((one) => one.join(" ")).join(", ")}; ${run.provenance.machine?.processor || ""}`)));
  }
}

fillChoice("table-choice", DATA.tables.map((table) => `${table.title} (${table.budget})`), showTable);
sceneBrowser();
fillChoice("stage-choice", DATA.stages.map((one) => one.label), showStages);
fillChoice("plane-choice", DATA.planes.map((one) => one.label), showPlane);
showNoise();
showRuns();
document.getElementById("made").textContent = `Made ${DATA.made.time} by hyperalign${DATA.made.commit ? `, commit ${DATA.made.commit}` : ""}. This file loads nothing from elsewhere.`;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const [node, given] of [...plots]) plot(node, ...given); });
