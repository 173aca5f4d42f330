"use strict";

// The editor of template and policy: line numbers, and problems and a preview while it is typed.
// The server finds both and writes their words. Without this script the page's buttons ask for them.
for (const editor of document.querySelectorAll("textarea[data-check]")) {
    const form = editor.form;
    const count = document.getElementById("problem-count");
    const problems = document.getElementById("problems");
    const preview = document.getElementById("preview");
    const marks = new Map();  // the class of each line that has a problem

    // Line numbers beside the text. Screen readers have the places in the list of problems.
    const frame = document.createElement("div");
    const gutter = document.createElement("div");
    const numbers = document.createElement("div");
    frame.className = "editor";
    gutter.className = "editor-gutter";
    gutter.setAttribute("aria-hidden", "true");
    numbers.className = "editor-numbers";
    editor.replaceWith(frame);
    gutter.append(numbers);
    frame.append(gutter, editor);

    const follow = () => { numbers.scrollTop = editor.scrollTop; };

    const number = () => {
        const lines = editor.value.split("\n").length;
        while (numbers.childElementCount > lines) {
            numbers.lastElementChild.remove();
        }
        while (numbers.childElementCount < lines) {
            const line = document.createElement("span");
            line.textContent = numbers.childElementCount + 1;
            numbers.append(line);
        }
        [...numbers.children].forEach((line, index) => {
            line.className = marks.get(index + 1) || "";
        });
        follow();
    };

    const mark = (places) => {
        marks.clear();
        for (const [line, isError] of places) {
            if (isError || !marks.has(line)) {
                marks.set(line, isError ? "error" : "warning");
            }
        }
        number();
    };

    // Problems stand below the text, so that it does not move while it is typed.
    const found = document.createElement("div");
    found.className = "editor-problems";
    found.append(count, problems);
    frame.after(found);
    mark([...problems.querySelectorAll("tr")].map((row) => {
        const place = row.querySelector("[data-place]");
        return place && [parseInt(place.dataset.place, 10), !!row.querySelector(".chip-bad")];
    }).filter(Boolean));

    // A problem's link puts the cursor at its place. The server counts characters, and a text field
    // counts UTF-16 units.
    found.addEventListener("click", (event) => {
        const link = event.target.closest("[data-place]");
        if (!link) {
            return;
        }
        event.preventDefault();
        const [line, column] = link.dataset.place.split(":").map(Number);
        let start = 0;
        for (let before = 1; before < line; before += 1) {
            start = editor.value.indexOf("\n", start) + 1;
        }
        const rest = [...editor.value.slice(start).split("\n", 1)[0]];
        const at = start + rest.slice(0, column - 1).join("").length;
        editor.setSelectionRange(at, at);
        editor.blur();
        editor.focus();  // this shows the cursor, sideways too
        const height = parseFloat(getComputedStyle(editor).lineHeight);
        editor.scrollTop = Math.max(0, (line - 4) * height);
        follow();
    });

    let asked = 0;
    const ask = async (what) => {
        const number = ++asked;
        const sent = new FormData();
        for (const name of ["body", "certificate", "pasted"]) {
            sent.set(name, form.elements[name].value);
        }
        const token = form.elements.csrfmiddlewaretoken.value;
        const headers = { "X-CSRFToken": token, [editor.dataset.check]: what };
        let said = null;
        try {
            const answer = await fetch(location.href, { method: "POST", headers, body: sent });
            said = answer.ok ? await answer.json() : null;
        } catch {
            said = null;  // no connection, or a page that asks to sign in
        }
        if (number !== asked) {
            return;  // a later text has its own answer
        }
        if (said === null) {
            count.textContent = editor.dataset.unchecked;
            problems.replaceChildren();
            mark([]);
            return;
        }
        if ("text" in said && said.text !== editor.value) {
            lay(said.text);
        }
        if (count.textContent !== said.count) {
            count.textContent = said.count;  // read aloud only when it changes
        }
        problems.innerHTML = said.table;
        preview.innerHTML = said.preview;
        mark(said.problems.map((one) => [parseInt(one.place, 10), one.is_error]));
    };

    // In place of the whole text, in a way that the browser can undo.
    const lay = (text) => {
        editor.focus();
        editor.select();
        if (!document.execCommand("insertText", false, text)) {
            editor.value = text;
        }
        editor.setSelectionRange(0, 0);
        editor.scrollTop = 0;
        clearTimeout(waiting);  // its problems are in the same answer
        number();
    };

    let waiting = 0;
    const later = (what) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => ask(what), 400);
    };
    editor.addEventListener("scroll", follow);
    editor.addEventListener("input", (event) => {
        number();
        const isLine = /^\s*[{[][^\n]{2,}$/.test(editor.value.trim());
        later(event.inputType === "insertFromPaste" && isLine ? "readable" : "yes");
    });
    for (const name of ["certificate", "pasted"]) {
        form.elements[name].addEventListener("input", () => later("yes"));
    }
    for (const button of form.querySelectorAll("[data-look]")) {
        button.addEventListener("click", (event) => {
            event.preventDefault();
            clearTimeout(waiting);
            ask(button.dataset.look);
        });
    }
}
