"use strict";
// Tables that sort by a press on a heading and that a word filters. What the server sent is only
// put in another order or hidden; a part of the page that is fetched anew is treated again.
(() => {
  const chosen = new Map(); // id of a table -> { column, down }
  const numeric = (text) => text !== "" && Number.isFinite(Number(text));

  // As the cell says, unless it carries a value of its own (a time, a share).
  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim().split(" / ")[0];
  }

  function compare(one, other) {
    if (numeric(one) && numeric(other)) return Number(one) - Number(other);
    return one.localeCompare(other, document.documentElement.lang, { numeric: true });
  }

  // What is not there ("–") stands last, whichever way the rest goes.
  function sort(table) {
    const { column, down } = chosen.get(table.id);
    const empty = (text) => text === "" || text === "–";
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    rows.sort(([one], [other]) => {
      if (empty(one) || empty(other)) return Number(empty(one)) - Number(empty(other));
      return down ? compare(other, one) : compare(one, other);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const [place, heading] of [...table.tHead.rows[0].cells].entries()) {
      if (place === column) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  function filter(input) {
    const place = document.getElementById(input.dataset.filter);
    if (!place) return;
    const rows = [...(place.tBodies ? place.tBodies[0].rows : place.children)];
    const wanted = input.value.trim().toLocaleLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLocaleLowerCase().includes(wanted);
    const shown = rows.filter((row) => !row.hidden).length;
    const all = rows.length;
    let said = wanted ? _("{shown} of {all} shown", { shown, all }) : "";
    if (wanted && !shown) said = _("None of the {all} has this text. Empty the field to see them.", { all });
    input.closest(".filter").querySelector("[role=status]").textContent = said;
  }

  document.addEventListener("click", (event) => {
    const heading = event.target.closest("[data-sort]")?.closest("th");
    if (!heading) return;
    const table = heading.closest("table");
    const before = chosen.get(table.id);
    const column = heading.cellIndex;
    chosen.set(table.id, { column, down: before?.column === column && !before.down });
    sort(table);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) filter(event.target);
  });
  document.addEventListener("htmx:after:settle", () => {
    for (const id of chosen.keys()) {
      const table = document.getElementById(id);
      if (table) sort(table);
    }
    for (const input of document.querySelectorAll("[data-filter]")) if (input.value) filter(input);
  });
})();
