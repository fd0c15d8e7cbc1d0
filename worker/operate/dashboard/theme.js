// The colours follow the system until the button says otherwise; the choice is kept in this browser.
(() => {
  const names = ["system", "light", "dark"];
  const kept = () => {
    try { return localStorage.getItem("chasqui-theme") || "system"; } catch { return "system"; }
  };
  const show = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    document.documentElement.style.setProperty("--theme-name", `"${name[0].toUpperCase()}${name.slice(1)}"`);
  };
  window.chasquiTheme = {
    next() {
      const name = names[(names.indexOf(kept()) + 1) % names.length];
      try { localStorage.setItem("chasqui-theme", name); } catch { /* a private window forgets */ }
      show(name);
    },
  };
  show(kept());
})();
