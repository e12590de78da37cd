// @ts-check
/** Light or dark: the reader's system decides until the button has been used. */

import { byId, fill, icon } from "./dom.js";

const THEME = "vimrag-theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  const theme = localStorage.getItem(THEME);
  return theme === "dark" || theme === "light" ? theme : null;
}

function isDark() {
  return (stored() ?? (SYSTEM.matches ? "dark" : "light")) === "dark";
}

function apply() {
  const theme = stored();
  if (theme !== null) document.documentElement.dataset.theme = theme;
}

/** Makes the button of the page work. */
export function startTheme() {
  const toggle = byId("theme");
  const label = () => {
    fill(toggle, icon(isDark() ? "light" : "dark"));
    toggle.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
    toggle.setAttribute("title", isDark() ? "Light colours" : "Dark colours");
  };
  toggle.addEventListener("click", () => {
    localStorage.setItem(THEME, isDark() ? "light" : "dark");
    apply();
    label();
  });
  SYSTEM.addEventListener("change", label);
  label();
}

apply();
