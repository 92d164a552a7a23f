"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  // Figures: plotly's JSON lies beside each; it is drawn when it comes near, in the page's own ink.
  const drawn = new Set();

  function inked(layout) {
    const style = getComputedStyle(root);
    const ink = style.getPropertyValue("--figure-ink").trim();
    const rule = style.getPropertyValue("--figure-rule").trim();
    const template = layout.template.layout;
    template.font.color = ink;
    const paint = (axis, colour) => Object.assign(axis, { gridcolor: colour, linecolor: colour, zerolinecolor: colour });
    for (const name of ["xaxis", "yaxis"]) paint(template[name], rule).tickcolor = rule;
    for (const name of ["xaxis", "yaxis", "zaxis"]) paint(template.scene[name], style.getPropertyValue("--scene-rule").trim());
    return layout;
  }

  function draw(holder) {
    if (!window.Plotly) return;
    const { data, layout, frames } = JSON.parse(document.getElementById(holder.dataset.figure).textContent);
    const config = { displaylogo: false, responsive: !layout.width, toImageButtonOptions: { format: "svg", filename: holder.dataset.figure } };
    layout.uirevision = "kept";
    if (frames && layout.sliders && drawn.has(holder)) { // drawn anew, an animation stops and stays where it was
      window.Plotly.animate(holder, [null], { mode: "immediate" });
      const slider = Object.assign(layout.sliders[0], { active: holder.layout.sliders[0].active });
      const now = frames.find((frame) => frame.name === slider.steps[slider.active].args[0][0]);
      now?.traces?.forEach((trace, i) => Object.assign(data[trace], now.data[i]));
    }
    drawn.add(holder);
    return window.Plotly.react(holder, { data, layout: inked(layout), config, frames });
  }

  function watch() {
    const watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !drawn.has(target)) draw(target);
        // a browser keeps few 3-D scenes alive: one that is out of sight gives its place back
        else if (!isIntersecting && drawn.has(target) && target.layout?.scene) {
          window.Plotly.purge(target);
          drawn.delete(target);
        }
      }
    }, { rootMargin: "400px 0px" });
    all(".plot").forEach((holder) => watcher.observe(holder));
  }
  addEventListener("DOMContentLoaded", watch);
  // plotly rejects, without a reason, the promise of an animation that is paused or taken elsewhere: no error
  addEventListener("unhandledrejection", (event) => { if (event.reason === undefined) event.preventDefault(); });
  addEventListener("beforeprint", () => all(".plot").filter((h) => !drawn.has(h)).forEach(draw));

  // Light and dark: as the system says, until the reader says otherwise.
  const word = document.getElementById("theme-word");
  const redraw = () => { word.textContent = dark() ? "Dark" : "Light"; drawn.forEach(draw); };
  function remembered(value) {
    try {
      if (value) localStorage.setItem("tegum-theme", value);
      return localStorage.getItem("tegum-theme");
    } catch { return null; }
  }
  if (remembered()) root.dataset.theme = remembered();
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remembered(root.dataset.theme);
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();

  // The index of claims: filter by verdict, search by words.
  const rows = all("#claims-table tbody tr");
  const buttons = all(".total");
  const search = document.getElementById("search");
  let verdict = "all";
  function sift() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = verdict === "all" || row.dataset.verdict === verdict || (verdict === "changed" && row.classList.contains("changed"));
      row.hidden = !(fits && words.every((w) => row.dataset.words.includes(w)));
      shown += !row.hidden;
    }
    document.getElementById("count").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} shown`;
    document.getElementById("none").hidden = shown > 0;
  }
  if (search) {
    search.addEventListener("input", sift);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        verdict = button.dataset.filter;
        buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
        sift();
      });
    }
    addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(input|textarea)$/i.test(event.target.tagName)) { event.preventDefault(); search.focus(); }
      if (event.key === "Escape" && event.target === search) { search.value = ""; sift(); }
    });
  }

  // Copy a command. A page from disk may have no clipboard: then its text is selected, ready to be copied.
  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }

  // The contents follow the reader.
  const links = new Map(all("nav ol a").map((a) => [a.getAttribute("href").slice(1), a]));
  const follower = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (link && isIntersecting) {
        links.forEach((l) => l.removeAttribute("aria-current"));
        link.setAttribute("aria-current", "true");
      }
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  all("main > section").forEach((section) => follower.observe(section));
})();
