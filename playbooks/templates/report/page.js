// SPDX-License-Identifier: Apache-2.0
// Sorting and searching. Without this script the table is complete, the worst host first.
"use strict";
{
  const table = document.querySelector("table");
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const form = document.querySelector("form");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  // Unknown values have no key and stay last in both directions.
  const keys = (column) =>
    new Map(rows.map((row) => [row, row.cells[column].dataset.sort]).map(([row, key]) => [row, key === "" ? null : Number(key)]));

  const sort = (column, direction) => {
    const key = keys(column);
    const sign = direction === "ascending" ? 1 : -1;
    rows.sort((a, b) => (key.get(a) === null) - (key.get(b) === null) || sign * (key.get(a) - key.get(b)));
    table.tBodies[0].append(...rows);
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", direction);
  };

  const search = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/);
    const wrong = form.elements.wrong.checked;
    for (const row of rows) {
      row.hidden = (wrong && row.dataset.status === "ok") || !words.every((word) => texts.get(row).includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${rows.length} ${rows.length === 1 ? "host" : "hosts"}`;
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const opposite = { ascending: "descending", descending: "ascending" }[head.getAttribute("aria-sort")];
      sort(column, opposite ?? head.dataset.first);
    });
  });
  form.addEventListener("input", search);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  search();
}
