"use strict";
(() => {
  // The first element says what the columns are; each of the others is a row.
  const [{columns, own}, ...all] = JSON.parse(document.getElementById("data").textContent);
  const ROW = 0, OUTCOME = 2, CODE = 7, WHY = 8, TOOK = 12;
  const NUMBERS = [0, 1, 9, TOOK], IDS = [3, 4, 5, 6], TIMES = [10, 11];
  const PAPERLESS = [9, 10, TOOK]; // of little use on paper, where room is short
  const CHUNK = 200; // rows that are put into the page at once
  const MAX_VALUES = 1000; // that a column can be filtered by

  const $ = id => document.getElementById(id);
  const make = (name, text, className) => {
    const e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (className) e.className = className;
    return e;
  };
  const option = (value, text) => {
    const o = make("option", text);
    o.value = value;
    return o;
  };
  const filled = value => value !== "" && value !== null && value !== undefined;

  all.sort((a, b) => a[ROW] - b[ROW]);
  // How it ended comes first, then who it is, then the rest. A column of which no
  // row has anything is left out, such as the lines of a listing.
  const input = columns.map((_, i) => i).slice(own);
  const shown = [ROW, 1, OUTCOME, CODE, WHY, 13, 14, 3, ...input, 4, 5, 6, 9, 10, 11, TOOK].filter(i => i === ROW || all.some(r => filled(r[i]) && r[i] !== 0));
  const plain = text => String(text).replaceAll("_", " ");
  const show = (row, i) => {
    const value = row[i];
    if (!filled(value)) return "";
    if (i === OUTCOME) return plain(value);
    if (i === TOOK) return value < 1000 ? value + " ms" : (value / 1000).toFixed(1) + " s";
    if (TIMES.includes(i)) return value.slice(0, 19).replace("T", " ");
    return String(value);
  };

  // What a search looks at; made when a search first needs it.
  const texts = new Map();
  const textOf = row => {
    let text = texts.get(row);
    if (text === undefined) texts.set(row, text = shown.map(i => show(row, i)).join("\n").toLowerCase());
    return text;
  };

  const state = {sort: ROW, down: false, reason: null};
  let found = all, drawn = 0;
  const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  const compare = (a, b) => {
    const i = state.sort, x = a[i], y = b[i];
    if (filled(x) !== filled(y)) return filled(x) ? -1 : 1; // what is empty comes last, either way
    const order = !filled(x) ? 0 : NUMBERS.includes(i) ? x - y : collator.compare(x, y);
    return (state.down ? -order : order) || a[ROW] - b[ROW];
  };

  const fits = () => {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = $("outcome").value, column = $("column").value, value = $("value");
    const wanted = column !== "" && value.selectedIndex > 0 ? value.value : null;
    const reason = state.reason;
    return row =>
      (outcome === "" || (outcome === "left" ? row[OUTCOME] !== "rotated" : row[OUTCOME] === outcome)) &&
      (wanted === null || (row[column] ?? "") === wanted) &&
      (reason === null || (row[OUTCOME] === reason.outcome && row[CODE] === reason.code && row[WHY] === reason.message)) &&
      (words.length === 0 || words.every(word => textOf(row).includes(word)));
  };

  const body = $("table").tBodies[0];
  const draw = upTo => {
    const part = document.createDocumentFragment();
    for (; drawn < Math.min(upTo, found.length); drawn++) {
      const row = found[drawn], tr = make("tr");
      tr.setAttribute("role", "row");
      tr.setAttribute("aria-rowindex", drawn + 2);
      for (const i of shown) {
        const text = show(row, i), td = make("td");
        td.setAttribute("role", "cell");
        td.dataset.name = columns[i];
        if (NUMBERS.includes(i)) td.className = "num";
        else if (IDS.includes(i)) td.className = "id";
        else if (TIMES.includes(i)) td.className = "time";
        else if (i === WHY && text) td.className = "text";
        if (i === OUTCOME) {
          td.className = "outcome";
          td.append(make("span", text, "badge " + row[i]));
        } else td.textContent = text;
        if (PAPERLESS.includes(i)) td.classList.add("paperless");
        tr.append(td);
      }
      part.append(tr);
    }
    body.append(part);
    $("more").hidden = drawn >= found.length;
  };

  const tell = () => {
    const n = found.length;
    let text = n === all.length ? `${n} ${n === 1 ? "row" : "rows"}` : `${n} of ${all.length} rows`;
    if (n === 0 && all.length > 0) text = `No row of ${all.length} fits`;
    if (state.reason) text += `, for one reason: ${[plain(state.reason.outcome), state.reason.code, state.reason.message].filter(Boolean).join(" ")}`;
    const selected = id => $(id).selectedOptions[0].textContent;
    const filters = [];
    if ($("search").value.trim()) filters.push(`search “${$("search").value.trim()}”`);
    if ($("outcome").value) filters.push(`outcome ${selected("outcome")}`);
    if ($("value").selectedIndex > 0) filters.push(`${selected("column")}: ${selected("value")}`);
    if (filters.length > 0) text += ` (${filters.join(", ")})`;
    $("found").textContent = text;
    $("table").setAttribute("aria-rowcount", n + 1);
  };

  const update = () => {
    found = all.filter(fits()).sort(compare);
    body.replaceChildren();
    drawn = 0;
    $("frame").scrollTop = 0;
    draw(CHUNK);
    tell();
  };

  const order = (column, down) => {
    state.sort = column;
    state.down = down;
    for (const th of $("table").tHead.rows[0].cells) {
      const mine = Number(th.dataset.column) === column;
      if (mine) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
    $("sort").value = column + (down ? " down" : "");
    update();
  };

  const head = make("tr");
  head.setAttribute("role", "row");
  for (const i of shown) {
    const th = make("th"), button = make("button", columns[i]);
    th.scope = "col";
    th.setAttribute("role", "columnheader");
    if (NUMBERS.includes(i)) th.className = "num";
    if (PAPERLESS.includes(i)) th.classList.add("paperless");
    th.dataset.column = i;
    button.type = "button";
    button.addEventListener("click", () => order(i, state.sort === i && !state.down));
    th.append(button);
    head.append(th);
    $("sort").append(option(i, columns[i]), option(i + " down", columns[i] + ", descending"));
    if (i >= own) $("column").append(option(i, columns[i]));
  }
  $("table").tHead.append(head);
  // Said outright, since a narrow screen shows the table as a list of cards.
  $("table").setAttribute("role", "table");
  for (const part of [$("table").tHead, body]) part.setAttribute("role", "rowgroup");
  if ($("column").options.length === 1) for (const id of ["column", "value"]) $(id).parentElement.hidden = true;

  const values = () => {
    const column = $("column").value, counts = new Map();
    if (column !== "") for (const row of all) counts.set(row[column] ?? "", (counts.get(row[column] ?? "") ?? 0) + 1);
    const names = [...counts.keys()].sort(collator.compare).slice(0, MAX_VALUES);
    $("value").replaceChildren(option("", "all"), ...names.map(v => option(v, `${v || "(none)"} (${counts.get(v)})`)));
    $("value").disabled = column === "";
  };

  // Filters but the reason's are in sight; a change of them ends the reason's.
  const changed = () => {
    state.reason = null;
    update();
  };
  let typing;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, all.length > 2000 ? 150 : 30);
  });
  $("outcome").addEventListener("change", changed);
  $("value").addEventListener("change", changed);
  $("column").addEventListener("change", () => {
    values();
    changed();
  });
  $("sort").addEventListener("change", () => {
    const [column, down] = $("sort").value.split(" ");
    order(Number(column), down !== undefined);
  });
  const reset = () => {
    for (const id of ["search", "outcome", "column"]) $(id).value = "";
    values();
    state.reason = null;
  };
  $("reset").addEventListener("click", () => {
    reset();
    order(ROW, false);
  });
  for (const button of document.querySelectorAll("button.show")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      reset();
      state.reason = {outcome: button.dataset.outcome, code: button.dataset.code, message: button.dataset.message};
      update();
      $("rows").focus();
      $("rows").scrollIntoView();
    });
  }

  // More rows come into the page as they come into sight; on paper stand all.
  $("more").firstElementChild.addEventListener("click", () => draw(drawn + CHUNK));
  new IntersectionObserver(seen => {
    if (seen.some(s => s.isIntersecting)) draw(drawn + CHUNK);
  }, {rootMargin: "600px"}).observe($("more"));
  $("frame").addEventListener("scroll", () => {
    const f = $("frame");
    if (f.scrollTop + f.clientHeight > f.scrollHeight - 600) draw(drawn + CHUNK);
  }, {passive: true});
  addEventListener("beforeprint", () => draw(found.length));

  reset();
  $("tools").hidden = $("frame").hidden = all.length === 0;
  order(ROW, false);
})();
