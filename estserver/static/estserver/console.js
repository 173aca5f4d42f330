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

// An editor of a document says what is wrong as it is typed. The server's own check finds it.
for (const editor of document.querySelectorAll("textarea[data-check]")) {
    const found = document.createElement("div");
    found.id = "problems";
    found.setAttribute("role", "status");
    editor.before(found);
    let waiting = 0;
    let asked = 0;

    const show = (problems) => {
        const lines = problems.map((one) => {
            const line = document.createElement("li");
            line.className = one.is_error ? "error" : "warning";
            const kind = one.is_error ? "Error" : "Warning";
            line.textContent = `${kind} ${one.place}: ${one.message}`;
            return line;
        });
        const list = document.createElement("ul");
        list.append(...lines);
        found.replaceChildren(...(lines.length ? [list] : ["The text can be used."]));
    };

    const check = async () => {
        const number = ++asked;
        const sent = new FormData();
        sent.set("body", editor.value);
        const token = editor.form.elements.csrfmiddlewaretoken.value;
        const headers = { "X-CSRFToken": token, [editor.dataset.check]: "yes" };
        try {
            const answer = await fetch(location.href, { method: "POST", headers, body: sent });
            const problems = answer.ok ? (await answer.json()).problems : null;
            if (number === asked && problems) {  // a later text has its own answer
                show(problems);
            }
        } catch {
            // Without an answer the text is checked when it is sent.
        }
    };

    editor.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(check, 400);
    });
}
