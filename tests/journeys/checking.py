"""What holds of every page: a title, one heading, landmarks, room enough, WCAG 2.2 AA, everything by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_MOST_STOPS = 600

_STANDS = """() => {
    const faults = [];
    const count = (what) => document.querySelectorAll(what).length;
    if (!document.title.trim()) faults.push("no title");
    if (!document.documentElement.lang) faults.push("no language");
    for (const what of ["h1", "main"]) if (count(what) !== 1) faults.push(`${count(what)} of ${what}`);
    if (!count("header, [role=banner]")) faults.push("no header");
    const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (over > 0) {
        const wide = [...document.body.querySelectorAll("*")].filter((node) =>
            node.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
        faults.push(`${over} px too wide: ${wide.slice(-3).map((node) => node.outerHTML.slice(0, 120)).join(" | ")}`);
    }
    return faults;
}"""

# Marks everything that takes the keyboard's focus, and notes on each arrival whether one sees where the focus is.
_WATCH = """() => {
    const within = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const shown = (node) => node.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true});
    const groups = new Set();
    const stops = [...document.querySelectorAll(within)].filter((node) => {
        if (node.disabled || node.type === "hidden" || node.tabIndex < 0 || !shown(node)) return false;
        if (node.closest("[inert]")) return false;
        if (node.type !== "radio") return true;
        const group = `${node.form && node.form.id}/${node.name}`;
        return !groups.has(group) && groups.add(group);
    });
    const look = (node) => {
        const style = getComputedStyle(node);
        return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor,
            style.backgroundColor, style.textDecorationLine].join();
    };
    const around = (node) => [node, node.parentElement, node.nextElementSibling, node.labels && node.labels[0]]
        .filter(Boolean).map(look).join();
    const state = window.focusWatch = {stops, before: new Map(stops.map((node) => [node, around(node)])),
        reached: new Set(), faults: []};
    const name = (node) => node.outerHTML.replace(/\\s+/g, " ").slice(0, 140);
    state.name = name;
    document.addEventListener("focusin", ({target}) => {
        if (state.reached.has(target)) return;
        state.reached.add(target);
        if (state.before.get(target) === around(target)) state.faults.push(`focus is not seen on ${name(target)}`);
        const seen = target.labels && target.labels[0] && target.offsetWidth < 3 ? target.labels[0] : target;
        // The browser scrolls a strip sideways only after this event.
        if (seen.getBoundingClientRect().right > innerWidth) seen.scrollIntoView({block: "nearest", inline: "nearest"});
        const box = seen.getBoundingClientRect();
        const points = [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.15], [0.5, 0.85]];
        const free = points.some(([x, y]) => {
            const over = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
            return over && (target.contains(over) || over.contains(target)
                || [...(target.labels || [])].some((label) => label.contains(over)));
        });
        if (!free && box.width > 0) state.faults.push(`focus is hidden on ${name(target)}`);
    });
    if (document.activeElement) document.activeElement.blur();
    window.scrollTo(0, 0);
    // A field for a date takes a stop for each of its parts.
    const parts = {date: 3, time: 3, "datetime-local": 6, month: 2, week: 2};
    return stops.reduce((sum, node) => sum + 1 + (parts[node.type] || 0), 3);
}"""

_MISSED = """() => {
    const {stops, reached, faults, name} = window.focusWatch;
    const radios = (node) => [...reached].some((other) =>
        other.type === "radio" && other.name === node.name && other.form === node.form);
    const missed = stops.filter((node) => !reached.has(node) && node.isConnected
        && !(node.type === "radio" && radios(node)) && node.checkVisibility({visibilityProperty: true}));
    return [...faults, ...missed.map((node) => `Tab does not reach ${name(node)}`)];
}"""


def standing_faults(page: Page) -> list[str]:
    """Return what is wrong with a page's frame: title, heading, landmarks, width."""
    found: list[str] = page.evaluate(_STANDS)
    return found


def axe_faults(page: Page) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 AA."""
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", TAGS)
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def keyboard_faults(page: Page) -> list[str]:
    """Go through the page with Tab; return what it does not reach, and where one cannot see the focus."""
    stops: int = page.evaluate(_WATCH)
    for _ in range(min(stops, _MOST_STOPS)):
        page.keyboard.press("Tab")
    found: list[str] = page.evaluate(_MISSED)
    return found
