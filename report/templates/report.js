"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll("[data-best]")].map((node) => ({
    node, best: new Map(Object.entries(JSON.parse(node.dataset.best))),
    words: node.dataset.words.toLowerCase(),
    link: node.querySelector("[data-zoom]"), name: node.querySelector(".name"),
  }));

  const shown = () => cards.filter((card) => !card.node.hidden);
  const filter = () => {
    const wanted = at("words").value.trim().toLowerCase();
    const label = at("label")?.value ?? "", least = Number(at("score")?.value ?? 0);
    for (const { node, best, words } of cards) {
      const scores = label === "" ? [...best.values()] : best.has(label) ? [best.get(label)] : [];
      const all = label === "" && least === 0;
      node.hidden = !words.includes(wanted) || (!all && !scores.some((score) => score >= least));
    }
    if (at("score")) at("at-least").value = least.toFixed(2);
    at("shown").value = `${shown().length} of ${cards.length} shown`;
    at("none").hidden = shown().length > 0;
  };
  at("filters").hidden = false;
  at("filters").addEventListener("input", filter);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  filter();

  let current = cards[0];
  const show = (card) => {
    const image = card.link.querySelector("img"), all = shown();
    current = card;
    at("zoom-image").src = image.src;
    at("zoom-image").alt = image.alt;
    at("zoom-name").replaceChildren(
      card.name.cloneNode(true), ` ${all.indexOf(card) + 1} of ${all.length}`,
    );
    at("zoom-full").href = card.link.href;
  };
  const step = (by) => {
    const all = shown();
    show(all[(all.indexOf(current) + by + all.length) % all.length]);
  };
  for (const card of cards) {
    card.link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(card);
      at("zoom").showModal();
      at("close").focus();
    });
  }
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("close").addEventListener("click", () => at("zoom").close());
  at("zoom").addEventListener("close", () => current.link.focus());
  at("zoom").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
})();
