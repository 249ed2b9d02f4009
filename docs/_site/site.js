// Search: headings and codes of every page, in order: the code itself, the runbook before the rest, a heading, a code that has the word in it.
"use strict";
(() => {
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const root = document.body.dataset.root || ".";
  const MOST = 12;

  const rank = ([page, heading, address, codes], asked) => {
    const night = address.startsWith("runbook.html") ? 0 : 1;
    if (codes.split(" ").some((code) => code.toLowerCase() === asked)) return 2 + night;
    if (heading.toLowerCase().includes(asked)) return 4 + night;
    if (codes.toLowerCase().includes(asked)) return 6 + night;
    return page.toLowerCase().includes(asked) ? 8 + night : 0;
  };

  const show = () => {
    const asked = input.value.trim().toLowerCase();
    const rows = asked.length < 2 ? [] : (window.pages || [])
      .map((entry) => [rank(entry, asked), entry])
      .filter(([at]) => at > 0)
      .sort((a, b) => a[0] - b[0])
      .slice(0, MOST);
    list.replaceChildren(...rows.map(([, [page, heading, address]]) => {
      const link = document.createElement("a");
      link.href = `${root}/${address}`;
      const where = document.createElement("small");
      where.textContent = ` ${page}`;
      link.append(heading, where);
      const row = document.createElement("li");
      row.append(link);
      return row;
    }));
    list.hidden = rows.length === 0;
  };

  input.addEventListener("input", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement === document.body) { event.preventDefault(); input.focus(); }
    if (event.key === "Escape") { list.hidden = true; input.blur(); }
    if (event.key === "Enter" && document.activeElement === input) list.querySelector("a")?.click();
  });
})();
