"use strict";

// A profile's page shows what its settings would do as they are typed. The answer is the page that
// the button "Preview" would lead to: its preview and what it says at fields take the place of the
// old ones. Nothing of it runs as a script, because the nodes are moved and not written as HTML.
const preview = document.getElementById("preview");
if (preview) {
    const form = preview.closest("form");
    let waiting = 0;
    let asked = 0;

    const rows = (page) => {
        const found = new Map();
        for (const row of page.querySelectorAll(".form-row")) {
            const name = [...row.classList].find((one) => one.startsWith("field-"));
            if (name) {
                found.set(name, row);
            }
        }
        return found;
    };

    const moveErrors = (page) => {
        const others = rows(page);
        for (const [name, row] of rows(document)) {
            const other = others.get(name);
            if (!other || name === "field-reason") {
                continue;
            }
            row.querySelectorAll(":scope > .errorlist").forEach((one) => one.remove());
            row.classList.toggle("errors", other.classList.contains("errors"));
            row.prepend(...other.querySelectorAll(":scope > .errorlist"));
            for (const field of row.querySelectorAll("[name]")) {
                const twin = other.querySelector(`#${CSS.escape(field.id)}`);
                for (const attribute of ["aria-invalid", "aria-describedby"]) {
                    if (twin && twin.hasAttribute(attribute)) {
                        field.setAttribute(attribute, twin.getAttribute(attribute));
                    } else {
                        field.removeAttribute(attribute);
                    }
                }
            }
        }
    };

    // A screen reader says the outcome, and not the whole preview at each change.
    const tell = () => {
        const chips = preview.querySelectorAll("#preview-answer > p > .chip, #preview-answer > ul .chip");
        const words = [...chips].map((one) => one.lastChild.textContent.trim()).join(", ");
        const said = document.getElementById("preview-said");
        if (said.textContent !== words) {
            said.textContent = words;
        }
    };

    const look = async () => {
        const number = ++asked;
        const sent = new FormData(form);
        sent.set("preview", "yes");
        try {
            const answer = await fetch(location.href, { method: "POST", body: sent });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const found = page.getElementById("preview-answer");
            if (number === asked && answer.ok && found) {  // later settings have their own answer
                document.getElementById("preview-answer").replaceChildren(...found.childNodes);
                moveErrors(page);
                tell();
            }
        } catch {
            // Without an answer the button still leads to the preview.
        }
    };

    form.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(look, 400);
    });
    look();
}
