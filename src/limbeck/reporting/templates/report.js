(() => {
  "use strict";
  const find = (id) => document.getElementById(id);
  const page = JSON.parse(find("data").textContent);
  document.documentElement.classList.add("scripted");

  /* One small floating note serves the glossary and the charts. Text only, never markup. */
  const tip = find("tip");
  const hideTip = () => { tip.hidden = true; };
  const showTip = (text, x, y) => {
    tip.textContent = text;
    tip.style.whiteSpace = "pre-line";
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x - box.width / 2, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + box.height + 26 > innerHeight ? y - box.height - 14 : y + 18}px`;
  };
  for (const term of document.querySelectorAll("a.term")) {
    const entry = find(term.hash.slice(1));
    const show = () => {
      const box = term.getBoundingClientRect();
      showTip(entry.textContent, box.left + box.width / 2, box.bottom - 10);
    };
    term.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(); });
    term.addEventListener("pointerleave", hideTip);
    term.addEventListener("focus", () => { if (term.matches(":focus-visible")) show(); });
    term.addEventListener("blur", hideTip);
    term.addEventListener("click", (event) => {
      if (tip.hidden || event.pointerType === "touch") { event.preventDefault(); show(); }
    });
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  addEventListener("scroll", hideTip, { passive: true });

  /* Soft labels: logits divided by the temperature, then the softmax. */
  const MOST_BARS = 10;
  const MANY_CLASSES = 20;
  const softmax = (logits, temperature) => {
    const powers = logits.map((logit) => Math.exp(logit / temperature)); // the largest logit is 0
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  };
  const spread = (p) => Math.exp(-p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0));
  const percent = (x) => (x > 0 && x < 0.0005 ? "<0.1%" : `${(100 * x).toFixed(1)}%`);
  const temperatureAt = (place) => Math.min(20, 2 ** (place / 12));
  const written = (t) => (t < 10 ? t.toFixed(1) : t.toFixed(0));

  const shownClasses = (example) => {
    const all = page.soft.classes.map((_, i) => i);
    if (all.length <= MANY_CLASSES) return all;
    const p = softmax(example.teacher, 1);
    const q = softmax(example.student, 1);
    return all.sort((a, b) => Math.max(p[b], q[b]) - Math.max(p[a], q[a])).slice(0, MOST_BARS);
  };

  const barLine = (who) => {
    const line = document.createElement("span");
    line.className = `bar-line ${who}`;
    const name = document.createElement("span");
    name.className = "sr";
    name.textContent = `${who} `;
    const bar = document.createElement("i");
    const value = document.createElement("b");
    line.append(name, bar, value);
    return { line, set: (x) => { bar.style.width = `${(100 * x).toFixed(3)}%`; value.textContent = percent(x); } };
  };

  const startSoftLabels = () => {
    const slider = find("temperature");
    const bars = find("bars");
    let example;
    let classes;
    let rows;
    let later;

    const choose = (number) => {
      example = page.soft.examples[number];
      classes = shownClasses(example);
      const names = classes.map((i) => page.soft.classes[i]);
      if (classes.length < page.soft.classes.length) names.push("all others");
      bars.classList.toggle("short", names.every((name) => name.length <= 2));
      bars.classList.toggle("long", names.some((name) => name.length > 14));
      rows = names.map((name, place) => {
        const row = document.createElement("div");
        row.className = classes[place] === example.truth ? "bar-row true" : "bar-row";
        row.setAttribute("role", "listitem");
        const label = document.createElement("span");
        label.className = "bar-name";
        label.textContent = name;
        const teacher = barLine("teacher");
        const student = barLine("student");
        row.append(label, teacher.line, student.line);
        return { row, teacher, student };
      });
      bars.replaceChildren(...rows.map(({ row }) => row));
      const use = document.querySelector("#example use");
      if (use) use.setAttribute("href", `#picture-${example.picture}`);
      find("truth").textContent = page.soft.classes[example.truth] ?? "unknown";
      find("why").textContent = example.why[0].toUpperCase() + example.why.slice(1);
      find("row").textContent = `Row ${example.row} of the test split`;
      heat();
    };

    const heat = () => {
      const t = temperatureAt(Number(slider.value));
      const said = [`Temperature ${written(t)}.`];
      for (const who of ["teacher", "student"]) {
        const p = softmax(example[who], t);
        const listed = classes.map((i) => p[i]);
        if (rows.length > listed.length) listed.push(Math.max(0, 1 - listed.reduce((a, b) => a + b, 0)));
        listed.forEach((x, i) => rows[i][who].set(x));
        find(`spread-${who}`).textContent = `${spread(p).toFixed(1)} classes`;
        const top = p.indexOf(Math.max(...p));
        said.push(`The ${who} says ${page.soft.classes[top]}, ${percent(p[top])}.`);
      }
      find("temperature-now").textContent = written(t);
      slider.setAttribute("aria-valuetext", written(t));
      clearTimeout(later);
      later = setTimeout(() => { find("said").textContent = said.join(" "); }, 400);
    };

    slider.addEventListener("input", heat);
    document.querySelector(".thumbs").addEventListener("change", (event) => choose(Number(event.target.value)));
    const taught = find("taught");
    if (taught) {
      taught.addEventListener("click", () => {
        slider.value = Math.round(12 * Math.log2(Number(taught.dataset.temperature)));
        heat();
      });
    }
    const checked = document.querySelector(".thumbs input:checked");
    choose(checked ? Number(checked.value) : 0);
  };

  /* Charts, drawn one by one when the page has nothing better to do. */
  const rowsOf = (table) => {
    if (!table.length || !Array.isArray(table[0].step)) return table;
    return table.flatMap(({ role, bold, step, value }, run) => step.map((s, i) => ({ role, bold, run, step: s, value: value[i] })));
  };
  const tooltip = (_, event, __, value) => {
    if (value === null || value === undefined || value === "") { hideTip(); return; }
    const lines = typeof value === "object" ? Object.entries(value).map(([name, text]) => `${name}: ${text}`) : [value];
    showTip(lines.join("\n"), event.clientX, event.clientY);
  };
  const draw = (place) => {
    const given = page.charts.specs[place.dataset.spec];
    const spec = { ...given, datasets: { ...given.datasets, table: rowsOf(page.charts.tables[place.dataset.table]) } };
    /* `ast` interprets expressions instead of compiling them, so that the page needs no right to evaluate text. */
    vegaEmbed(place, spec, { actions: false, ast: true, defaultStyle: false, renderer: "svg", tooltip });
  };
  const startCharts = () => {
    const places = [...document.querySelectorAll(".chart")];
    const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
    const next = () => { const place = places.shift(); if (place) { draw(place); whenIdle(next); } };
    whenIdle(next);
    addEventListener("beforeprint", () => { while (places.length) draw(places.shift()); });
  };

  if (page.soft) startSoftLabels();
  document.addEventListener("DOMContentLoaded", startCharts);
})();
