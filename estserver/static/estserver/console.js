"use strict";

// The key "/" leads to the search box from anywhere but a field that is typed in.
document.addEventListener("keydown", (event) => {
    const box = document.getElementById("console-search-box");
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || !box || isTyping || event.ctrlKey || event.metaKey || event.altKey) {
        return;
    }
    event.preventDefault();
    box.focus();
    box.select();
});

// On a narrow screen the navigation opens and closes. Without this script it stays open.
const menu = document.getElementById("console-menu");
if (menu) {
    const nav = document.getElementById("console-nav");
    menu.hidden = false;
    nav.classList.add("closable");
    menu.addEventListener("click", () => {
        const isOpen = nav.classList.toggle("open");
        menu.setAttribute("aria-expanded", String(isOpen));
    });
}

// Django's boxes of permissions draw an icon with a label, which needs a role to be read out.
window.addEventListener("load", () => {
    for (const icon of document.querySelectorAll("span.help-tooltip[aria-label]")) {
        icon.setAttribute("role", "img");
    }
});
