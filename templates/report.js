"use strict";
// What a page of the report can do beyond being read: search, filters, the table of all units, keys, charts that answer.
(() => {
  const root = document.body.dataset.root;
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    element.append(...children.filter((child) => child !== undefined && child !== null));
    return element;
  };
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  const address = (link) => (link.startsWith("#") ? link : root + link);

  const scripted = (source) => new Promise((done, failed) => {
    const script = make("script", { src: source });
    script.onload = done;
    script.onerror = () => failed(new Error(`${source} cannot be read`));
    document.head.append(script);
  });

  // ---- what is searched: inside the page, or a file beside it ----
  let loaded;
  const data = () => (loaded ??= (async () => {
    const inside = find("#data");
    if (!inside) await scripted(`${root}report/data.js`);
    const found = inside ? JSON.parse(inside.textContent) : window.deepvisAudit;
    found.layers.forEach((layer, index) => {
      const bytes = Uint8Array.from(atob(layer.values), (character) => character.charCodeAt(0));
      layer.numbers = new Float32Array(bytes.buffer);
      layer.index = index;
      layer.shown = new Set(layer.pictured);
      layer.place = new Map(layer.columns.map((column, row) => [column, row]));
    });
    found.flagged = new Map(found.flags.map(([layer, unit, text]) => [`${layer}/${unit}`, text]));
    return found;
  })());
  const label = (found, layer, unit) => (layer.classes ? found.labels[unit] ?? "" : "");
  const unitLink = (layer, unit) => address(layer.shown.has(unit) ? `${layer.unit}/${unit}` : layer.href);

  // ---- search ----
  const MOST = 60;
  const results = (found, asked) => {
    const tokens = words(asked);
    const matches = (text) => tokens.every((token) => text.toLowerCase().includes(token));
    const layers = found.layers.filter((layer) => matches(layer.name))
      .map((layer) => ({ group: "Layers", text: layer.name, more: layer.kind, href: address(layer.href) }));
    const flags = found.flags.filter(([index, unit, text]) => matches(`${found.layers[index].name} unit ${unit} ${text}`))
      .map(([index, unit, text]) => ({ group: "Findings", text: `${found.layers[index].name} unit ${unit}`, more: text, href: unitLink(found.layers[index], unit) }));
    const items = found.items.filter(([task, layer, outcome, message]) => matches(`${task} ${layer} ${outcome} ${message}`))
      .map(([task, layer, outcome, message, href]) => ({ group: "Items", text: `${task} ${layer}`, more: `${outcome}: ${message}`, href: address(href) }));
    return [...layers.slice(0, 12), ...flags.slice(0, 20), ...units(found, tokens), ...items.slice(0, 16)].slice(0, MOST);
  };
  const units = (found, tokens) => {
    const rows = [];
    const numbers = tokens.filter((token) => /^\d+$/.test(token)).map(Number);
    const texts = tokens.filter((token) => !/^(\d+|unit)$/.test(token));
    if (!numbers.length && !texts.length) return rows;
    for (const layer of found.layers) {
      const rest = texts.filter((token) => !layer.name.toLowerCase().includes(token));
      const candidates = numbers.length === 1 ? [numbers[0]] : layer.classes && rest.length ? found.labels.keys() : [];
      for (const unit of candidates) {
        if (unit >= layer.units && !layer.shown.has(unit)) continue;
        if (!rest.every((token) => label(found, layer, unit).toLowerCase().includes(token))) continue;
        rows.push({ group: "Units", text: `${layer.name} unit ${unit}`, more: label(found, layer, unit), href: unitLink(layer, unit) });
        if (rows.length === 20) return rows;
      }
    }
    return rows;
  };

  const search = find("#search");
  const list = find("#results");
  let chosen = -1;
  const close = () => {
    list.hidden = true;
    chosen = -1;
    search.setAttribute("aria-expanded", "false");
    search.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    const options = all("[role=option]", list);
    if (!options.length) return;
    chosen = (index + options.length) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", place === chosen));
    options[chosen].scrollIntoView({ block: "nearest" });
    search.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const show = (found) => {
    const rows = results(found, search.value);
    let group = "";
    list.replaceChildren(...rows.flatMap((row, index) => {
      const heading = row.group === group ? [] : [make("li", { role: "presentation", class: "group" }, row.group)];
      group = row.group;
      const option = make("li", { role: "option", id: `result-${index}`, "aria-selected": "false" }, make("strong", {}, row.text), make("span", {}, row.more));
      option.onclick = () => { close(); go(row.href); };
      return [...heading, option];
    }));
    if (!rows.length) list.replaceChildren(make("li", { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "none" }, "Nothing is called so."));
    list.hidden = false;
    search.setAttribute("aria-expanded", "true");
    choose(0);
  };
  const go = (href) => {
    if (new URL(href, location).href === location.href) arrive();
    else location.href = href;
  };
  search.oninput = async () => (search.value.trim() ? show(await data()) : close());
  search.onfocus = () => { data(); if (search.value.trim()) search.oninput(); };
  search.onblur = () => setTimeout(close, 200);
  search.onkeydown = (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter" && chosen >= 0) all("[role=option]", list)[chosen].click();
    else if (event.key === "Escape") { if (list.hidden) search.blur(); close(); } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  // ---- filters: rows that hold every word stay ----
  for (const input of all("input[data-filters]")) {
    input.closest(".filter").hidden = false;
    input.oninput = () => {
      const tokens = words(input.value);
      for (const row of all(input.dataset.filters, input.closest(".filterable"))) {
        const text = row.textContent.toLowerCase();
        row.hidden = !tokens.every((token) => text.includes(token));
      }
    };
  }

  // ---- all measured units: a table of which only what is in sight exists ----
  const ROW = 30;
  const percent = (value) => (value > 0 && value < 0.001 ? "< 0.1 %" : value > 0.999 && value < 1 ? "> 99.9 %" : `${+(value * 100).toPrecision(3)} %`);
  const said = (value, kind) => {
    if (Number.isNaN(value)) return "not a number";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (kind === "unit") return value < 0 ? "–" : String(value);
    if (kind === "flag") return value ? "yes" : "no";
    return (kind === "share" ? percent(value) : String(+value.toPrecision(4))).replaceAll("-", "−");
  };
  const explore = (place, found) => {
    const state = { layer: "", text: "", flagged: false, column: "", side: "least", limit: "", sort: "layer", down: false };
    const measured = found.layers.filter((layer) => layer.units);
    const field = (name, control) => make("label", {}, `${name} `, control);
    const options = (pairs) => pairs.map(([value, text]) => make("option", { value }, text));
    const layerOf = make("select", {}, ...options([["", "all layers"], ...measured.map((layer) => [layer.index, layer.name])]));
    const textOf = make("input", { type: "search", autocomplete: "off", size: 14 });
    const flagged = make("input", { type: "checkbox" });
    const columnOf = make("select", {}, ...options([["", "any number"], ...found.columns.map(([heading], index) => [index, heading])]));
    const sideOf = make("select", { "aria-label": "at least or at most" }, ...options([["least", "≥"], ["most", "≤"]]));
    const limitOf = make("input", { type: "number", step: "any", size: 8, "aria-label": "limit of the number" });
    const count = make("p", { class: "more", role: "status" });
    const head = make("div", { role: "row", class: "head" });
    const body = make("div", { role: "rowgroup", class: "body" });
    const table = make("div", { role: "table", "aria-label": "All measured units", class: "sight" }, make("div", { role: "rowgroup" }, head), body);
    const frame = make("div", { class: "frame", tabindex: 0, role: "region", "aria-label": "All measured units" }, table);
    place.append(make("p", { class: "controls" }, field("layer", layerOf), field("unit or label", textOf), field("number", columnOf), sideOf, limitOf, make("label", {}, flagged, " flagged only")), count, frame);
    place.hidden = false;

    let rows = [];
    let columns = [];
    const value = (layer, unit, column) => (layer.place.has(column) ? layer.numbers[layer.place.get(column) * layer.units + unit] : undefined);
    const wanted = (layer, unit, tokens) => {
      if (state.flagged && !found.flagged.has(`${layer.index}/${unit}`)) return false;
      if (state.column !== "" && state.limit !== "") {
        const number = value(layer, unit, +state.column);
        if (number === undefined || !(state.side === "least" ? number >= +state.limit : number <= +state.limit)) return false;
      }
      return tokens.every((token) => (/^\d+$/.test(token) ? unit === +token : label(found, layer, unit).toLowerCase().includes(token)));
    };
    const select = () => {
      const tokens = words(state.text);
      const chosenLayers = state.layer === "" ? measured : [found.layers[+state.layer]];
      columns = found.columns.map((_, index) => index).filter((index) => chosenLayers.some((layer) => layer.place.has(index)));
      rows = [];
      for (const layer of chosenLayers) for (let unit = 0; unit < layer.units; unit++) if (wanted(layer, unit, tokens)) rows.push([layer, unit]);
      if (typeof state.sort === "number") {
        const key = ([layer, unit]) => { const number = value(layer, unit, state.sort); return number === undefined || Number.isNaN(number) ? undefined : number; };
        const keyed = rows.map((row) => [key(row), row]);
        keyed.sort(([a], [b]) => (a === b ? 0 : a === undefined ? 1 : b === undefined ? -1 : state.down ? b - a : a - b));
        rows = keyed.map(([, row]) => row);
      }
      count.textContent = `${rows.length.toLocaleString("en").replaceAll(",", "\u202f")} units`;
      table.setAttribute("aria-rowcount", rows.length + 1);
      body.style.height = `${rows.length * ROW}px`;
      heads();
      frame.scrollTop = 0;
      drawn.clear();
      body.replaceChildren();
      paint();
    };
    const heads = () => head.replaceChildren(
      make("span", { role: "columnheader" }, "layer"), make("span", { role: "columnheader" }, "unit"),
      ...columns.map((index) => {
        const sorted = state.sort === index;
        const button = make("button", { type: "button" }, found.columns[index][0], sorted ? (state.down ? " ↓" : " ↑") : "");
        button.onclick = () => { state.down = sorted ? !state.down : true; state.sort = index; select(); all("button", head)[columns.indexOf(index)].focus(); };
        return make("span", { role: "columnheader", class: "n", "aria-sort": sorted ? (state.down ? "descending" : "ascending") : "none" }, button);
      }));
    const drawn = new Map(); // place -> row: those in sight stay, so that a focused link does
    const draw = (place) => {
      const [layer, unit] = rows[place];
      const name = label(found, layer, unit);
      const flag = found.flagged.get(`${layer.index}/${unit}`);
      const shown = layer.shown.has(unit) ? make("a", { href: unitLink(layer, unit) }, String(unit)) : String(unit);
      const row = make("div", { role: "row", "aria-rowindex": place + 2, style: `top:${place * ROW}px`, class: flag ? "flagged" : false, title: flag },
        make("span", { role: "cell" }, make("code", {}, layer.name)), make("span", { role: "cell" }, shown, name ? ` ${name}` : ""),
        ...columns.map((column) => { const number = value(layer, unit, column); return make("span", { role: "cell", class: "n" }, number === undefined ? "" : said(number, found.columns[column][1])); }));
      drawn.set(place, row);
      return row;
    };
    const paint = () => {
      const first = Math.max(0, Math.floor(frame.scrollTop / ROW) - 5);
      const last = Math.min(rows.length, first + Math.ceil(frame.clientHeight / ROW) + 10);
      for (const [place, row] of drawn) if (place < first || place >= last) { row.remove(); drawn.delete(place); }
      for (let place = Math.min(last, ...drawn.keys()) - 1; place >= first; place--) body.prepend(draw(place));
      for (let place = Math.max(first - 1, ...drawn.keys()) + 1; place < last; place++) body.append(draw(place));
      table.style.setProperty("--columns", columns.length);
    };
    frame.onscroll = () => requestAnimationFrame(paint);
    for (const [control, name] of [[layerOf, "layer"], [textOf, "text"], [columnOf, "column"], [sideOf, "side"], [limitOf, "limit"]]) control.oninput = () => { state[name] = control.value; select(); };
    flagged.oninput = () => { state.flagged = flagged.checked; select(); };
    select();
    return (name) => { layerOf.value = found.layers.find((layer) => layer.name === name)?.index ?? ""; state.layer = layerOf.value; select(); };
  };
  const explorer = find("#explorer");
  let explored;
  const openExplorer = () => (explored ??= data().then((found) => explore(explorer, found)));
  if (explorer) {
    explorer.hidden = false;
    new IntersectionObserver((entries, observer) => { if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); openExplorer(); } }, { rootMargin: "600px" }).observe(explorer);
    for (const link of all("a[data-layer]")) link.addEventListener("click", async () => (await openExplorer())(link.dataset.layer));
  }

  // ---- charts that answer: Vega, when somebody points at one ----
  let vega;
  const engine = () => (vega ??= (async () => {
    const inside = find("#vega");
    if (inside) document.head.append(make("script", {}, inside.textContent));
    else await scripted(`${root}report/vega.js`);
  })());
  for (const spec of all("script.spec")) {
    const drawing = spec.previousElementSibling;
    const begin = async () => {
      drawing.removeEventListener("pointerenter", begin);
      await engine();
      const place = make("div", { class: "live" });
      await window.vegaEmbed(place, JSON.parse(spec.textContent), { actions: false, renderer: "svg", ast: true, mode: "vega-lite", tooltip: { theme: "custom" } });
      const size = drawing.firstElementChild.getBoundingClientRect();
      const live = find("svg", place);
      live.style.width = `${size.width}px`;
      live.style.height = `${size.height}px`;
      drawing.replaceChildren(place);
    };
    drawing.addEventListener("pointerenter", begin);
  }

  // ---- captions of tiles, where the pointer is ----
  for (const zoom of all(".panel .zoom")) {
    const captions = () => {
      const panel = zoom.closest(".panel");
      return all("li", all(".captions ol", panel)[all("figure", panel).indexOf(zoom.closest("figure"))]);
    };
    zoom.addEventListener("pointermove", (event) => {
      const box = zoom.getBoundingClientRect();
      const style = getComputedStyle(zoom);
      const [columns, rows] = [+style.getPropertyValue("--n"), +style.getPropertyValue("--r")];
      const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      zoom.title = captions()[row * columns + column]?.textContent ?? "";
    });
  }

  // ---- keys ----
  const dialog = find("#keys");
  const help = find(".help");
  help.hidden = false;
  help.onclick = () => dialog.showModal();
  find("button", dialog).onclick = () => dialog.close();
  find(".search").hidden = false;
  const enlarged = () => find(".panel:target, .mosaic:target");
  const step = (selector, direction) => {
    const stops = all(selector).filter((stop) => stop.checkVisibility());
    const line = 80;
    const tops = stops.map((stop) => stop.getBoundingClientRect().top);
    const next = direction > 0 ? tops.findIndex((top) => top > line + 2) : tops.findLastIndex((top) => top < line - 2);
    const stop = stops[next];
    if (!stop) return;
    stop.scrollIntoView();
    const link = stop.matches("a") ? stop : find("a", stop);
    link?.focus({ preventScroll: true });
  };
  const turn = (direction) => {
    const panel = enlarged();
    const panels = all(`.panel[data-kind="${panel?.dataset.kind}"]`);
    const next = panels[panels.indexOf(panel) + direction];
    if (next) location.replace(`#${next.id}`);
  };
  const keys = {
    "/": () => search.focus(),
    "?": () => dialog.showModal(),
    j: () => step(".stop", 1),
    k: () => step(".stop", -1),
    "]": () => step(".layer", 1),
    "[": () => step(".layer", -1),
    ArrowRight: () => enlarged() && turn(1),
    ArrowLeft: () => enlarged() && turn(-1),
    Escape: () => enlarged() && find(".close", enlarged()).click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea") || dialog.open) return;
    const act = keys[event.key];
    if (!act) return;
    if (event.key.startsWith("Arrow") && !enlarged()) return;
    event.preventDefault();
    act();
  });

  // ---- a link that leads into something folded opens it ----
  const arrive = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let parent = target.parentElement; parent; parent = parent.parentElement) if (parent.matches("details")) parent.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", arrive);
  if (location.hash) arrive();
})();
