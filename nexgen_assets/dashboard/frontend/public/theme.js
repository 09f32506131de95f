// Runs before the first paint, so that a page chosen dark never flashes white.
(() => {
  const chosen = localStorage.getItem("nexgen-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
