"use strict";
const LEVELS = 65535;
const NAMES = { observation: "observation", source: "source-only", restored: "restored", target: "target" };
const browser = { scene: null, cubes: {}, rgb: [0, 0, 0], band: 0, mode: "rgb", left: "observation", right: "restored", wipe: 0.5, point: null };
window.browser = browser;

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint16Array(await new Response(stream).arrayBuffer());
}

function nearest(wavelengths, wanted) {
  return wavelengths.reduce((best, value, index) => (Math.abs(value - wanted) < Math.abs(wavelengths[best] - wanted) ? index : best), 0);
}

function valueAt(cube, band, row, column) {
  const [, height, width] = browser.scene.shape;
  return cube[(band * height + row) * width + column] / LEVELS;
}

function errorOf(cube) {
  const [bands, height, width] = browser.scene.shape, target = browser.cubes.target, size = height * width;
  const found = new Float32Array(size);
  for (let band = 0; band < bands; band++) for (let pixel = 0; pixel < size; pixel++) found[pixel] += Math.abs(cube[band * size + pixel] - target[band * size + pixel]);
  return found.map((one) => one / bands / LEVELS);
}

// black, purple, orange, pale yellow: dark where the error is small, also to colour-blind eyes
const STOPS = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
function heat(share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1), low = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[low].map((one, index) => one + (STOPS[low + 1][index] - one) * (place - low));
}

function paint(name) {
  const [, height, width] = browser.scene.shape, size = height * width, image = new ImageData(width, height);
  const cube = browser.cubes[name.replace("error ", "")];
  if (name.startsWith("error ")) {
    const errors = errorOf(cube);
    const compared = errorOf(browser.cubes.restored).slice().sort();
    const limit = Math.max(compared[Math.floor(compared.length * 0.99)], 1e-6);
    for (let pixel = 0; pixel < size; pixel++) image.data.set([...heat(errors[pixel] / limit), 255], pixel * 4);
    return image;
  }
  const bands = browser.mode === "rgb" ? browser.rgb : [browser.band, browser.band, browser.band];
  for (let pixel = 0; pixel < size; pixel++) {
    for (let channel = 0; channel < 3; channel++) image.data[pixel * 4 + channel] = 255 * (cube[bands[channel] * size + pixel] / LEVELS) ** (1 / 2.2);
    image.data[pixel * 4 + 3] = 255;
  }
  return image;
}

function drawScene() {
  if (!browser.scene) return;
  const canvas = document.getElementById("scene-canvas"), context = canvas.getContext("2d"), [, height, width] = browser.scene.shape;
  canvas.width = width; canvas.height = height;
  canvas.parentElement.style.aspectRatio = `${width} / ${height}`;
  const edge = Math.round(browser.wipe * width);
  context.putImageData(paint(browser.left), 0, 0);
  if (edge < width) context.putImageData(paint(browser.right), 0, 0, edge, 0, width - edge, height);
  context.fillStyle = "#fff";
  if (edge > 0 && edge < width) context.fillRect(edge, 0, 0.6, height);
  if (browser.point) { context.strokeStyle = "#0ff"; context.strokeRect(browser.point[1] - 1.5, browser.point[0] - 1.5, 4, 4); }
  document.getElementById("scene-names").replaceChildren(element("span", {}, `left: ${labelOf(browser.left)}`), element("span", {}, `right: ${labelOf(browser.right)}`));
}

function labelOf(name) {
  return name.startsWith("error ") ? `error of ${NAMES[name.slice(6)]}` : NAMES[name];
}

function drawSpectra() {
  const [row, column] = browser.point, waves = browser.scene.wavelengths;
  const names = Object.keys(browser.cubes).filter((name) => name !== "observation" || browser.left === "observation" || browser.right === "observation");
  const dashes = { observation: "dot", source: "dash", restored: "solid", target: "solid" };
  const traces = names.map((name) => ({ type: "scatter", mode: "lines", name: NAMES[name], x: waves, line: { dash: dashes[name], width: name === "target" ? 3 : 2 },
    y: waves.map((_, band) => valueAt(browser.cubes[name], band, row, column)) }));
  plot(document.getElementById("spectra"), traces, { xaxis: { title: { text: "wavelength (nm)" } }, yaxis: { title: { text: "reflectance" } } }, "spectra");
  const shown = names.map((name) => `${NAMES[name]} ${valueAt(browser.cubes[name], browser.band, row, column).toFixed(4)}`).join(", ");
  document.getElementById("scene-value").textContent = `row ${row}, column ${column}, ${waves[browser.band]} nm: ${shown}`;
}

function choosePoint(row, column) {
  const [, height, width] = browser.scene.shape;
  browser.point = [Math.min(Math.max(row, 0), height - 1), Math.min(Math.max(column, 0), width - 1)];
  drawScene();
  drawSpectra();
}

function setBand(band) {
  browser.band = Math.min(Math.max(band, 0), browser.scene.shape[0] - 1);
  document.getElementById("band").value = browser.band;
  document.getElementById("band-name").textContent = `${browser.scene.wavelengths[browser.band]} nm`;
  drawScene();
  drawSpectra();
}

function sceneKeys(event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  if (steps[event.key]) { choosePoint(browser.point[0] + steps[event.key][0], browser.point[1] + steps[event.key][1]); event.preventDefault(); }
  if (event.key === "[") setBand(browser.band - 1);
  if (event.key === "]") setBand(browser.band + 1);
}

async function showScene(index) {
  const scene = DATA.scenes[index], cubes = {};
  for (const [name, text] of Object.entries(scene.cubes)) cubes[name] = await unpacked(text);
  Object.assign(browser, { scene, cubes, rgb: [660, 550, 470].map((wave) => nearest(scene.wavelengths, wave)), point: [scene.shape[1] >> 1, scene.shape[2] >> 1], band: scene.shape[0] >> 1 });
  const names = [...Object.keys(cubes), ...(cubes.target ? Object.keys(cubes).filter((name) => name !== "target").map((name) => `error ${name}`) : [])];
  for (const side of ["left", "right"]) {
    if (!names.includes(browser[side])) browser[side] = names[0];
    const choice = document.getElementById(`${side}-choice`);
    choice.replaceChildren(...names.map((name) => element("option", { value: name }, labelOf(name))));
    choice.value = browser[side];
  }
  ["red", "green", "blue"].forEach((name, channel) => {
    const field = document.getElementById(name);
    field.max = scene.shape[0] - 1;
    field.value = browser.rgb[channel];
  });
  document.getElementById("band").max = scene.shape[0] - 1;
  setBand(browser.band);
  browser.ready = index;
}

function sceneBrowser() {
  const view = document.getElementById("scene-view");
  if (!DATA.scenes.length) { view.append("No run of this store kept scenes."); return; }
  const choice = (id, change) => element("select", { id, onchange: change });
  const channel = (name, index) => element("label", {}, `${name} `, element("input", { type: "number", id: name, min: 0, oninput: (event) => { browser.rgb[index] = Math.min(Math.max(Math.round(event.target.value) || 0, 0), browser.scene.shape[0] - 1); drawScene(); } }));
  const scenes = choice("scene-choice", (event) => showScene(+event.target.value));
  scenes.append(...DATA.scenes.map((scene, index) => element("option", { value: index }, scene.label)));
  const canvas = element("canvas", { id: "scene-canvas", tabindex: "0", role: "img", "aria-label": "scene; arrow keys move the point, [ and ] change the band", onkeydown: sceneKeys,
    onclick: (event) => { const box = canvas.getBoundingClientRect(); choosePoint(Math.floor((event.clientY - box.top) / box.height * browser.scene.shape[1]), Math.floor((event.clientX - box.left) / box.width * browser.scene.shape[2])); } });
  view.append(
    element("div", { class: "bar" }, element("label", {}, "Scene ", scenes)),
    element("div", { class: "browser" },
      element("div", {},
        element("div", { class: "stage" }, canvas), element("div", { class: "names", id: "scene-names" }),
        element("div", { class: "bar" }, element("label", {}, "Wipe ", element("input", { type: "range", id: "wipe", min: 0, max: 1, step: 0.01, value: 0.5, oninput: (event) => { browser.wipe = +event.target.value; drawScene(); } }))),
        element("div", { class: "bar" }, element("label", {}, "Left ", choice("left-choice", (event) => { browser.left = event.target.value; drawScene(); drawSpectra(); })), element("label", {}, "Right ", choice("right-choice", (event) => { browser.right = event.target.value; drawScene(); drawSpectra(); }))),
        element("div", { class: "bar" }, element("label", {}, "Show ", element("select", { id: "mode", onchange: (event) => { browser.mode = event.target.value; drawScene(); } }, element("option", { value: "rgb" }, "three bands"), element("option", { value: "band" }, "one band"))), channel("red", 0), channel("green", 1), channel("blue", 2)),
        element("div", { class: "bar" }, element("label", {}, "Band ", element("input", { type: "range", id: "band", min: 0, value: 0, oninput: (event) => { browser.mode = "band"; document.getElementById("mode").value = "band"; setBand(+event.target.value); } }), " ", element("output", { id: "band-name" })), element("button", { type: "button", onclick: () => canvas.toBlob((blob) => download("scene.png", blob, "image/png")) }, "Picture"))),
      element("div", {}, element("div", { class: "plot", id: "spectra" }), element("p", { class: "note" }, element("output", { id: "scene-value" })), element("p", { class: "note" }, "Click a pixel for its spectra. With the picture in focus, arrow keys move the point and [ ] change the band."))));
  showScene(0);
}
