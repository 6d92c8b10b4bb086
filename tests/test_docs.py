"""The documentation says what the code does: generated parts are fresh, nothing is left out, links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from docs import generate, pictures
from policies.requests import Action, Role
from policies.rules import RULES
from portal.api.description import describe
from portal.audit.catalogue import CATALOGUE
from portal.audit.record import FIELDS
from portal.http.problems import TITLES
from portal.scanning.facts import NoticeKind
from portal.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", sorted(generate.PARTS))
def test_a_generated_part_is_fresh(name: str) -> None:
    file, make = generate.PARTS[name]
    text = page(file)
    assert generate.replaced(text, name, make()) == text, "run: python docs/generate.py"


def test_the_generator_says_that_nothing_is_stale() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_a_missing_marker_is_an_error() -> None:
    with pytest.raises(ValueError, match="markers"):
        generate.replaced("no markers here", "settings", "")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in _LINK.findall(_CODE.sub("", text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(found.read_text("utf-8")), f"{path.name} links to {target}"


def shown() -> dict[Path, list[tuple[Path, str]]]:
    """Return every picture that a page shows, with the pages and the words that stand for it there."""
    found: dict[Path, list[tuple[Path, str]]] = {}
    for path in PAGES:
        for words, target in _PICTURE.findall(_CODE.sub("", path.read_text("utf-8"))):
            found.setdefault((path.parent / target).resolve(), []).append((path, words))
    return found


def test_every_picture_is_taken_by_the_script_and_shown_with_words() -> None:
    taken = {pictures.FOLDER / f"{picture.name}.webp" for picture in pictures.PICTURES}
    assert set(shown()) == taken == set(pictures.FOLDER.iterdir())
    assert all(words for places in shown().values() for _, words in places)


def test_the_readme_and_every_role_have_pictures() -> None:
    pages = [page for places in shown().values() for page, _ in places]
    assert pages.count(ROOT / "README.md") == 4
    assert {page.stem for page in pages if page.parent.name == "users"} == {role.value for role in Role}


def test_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in shown()]
    assert max(sizes) < pictures.LARGEST
    assert sum(sizes) < pictures.LARGEST_OF_ALL


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in _LINK.findall(page("README.md"))}
    assert {path for path in PAGES if path.name != "README.md"} <= linked


def test_both_commands_are_on_the_first_screen_of_the_readme() -> None:
    first = page("README.md").splitlines()[:20]
    assert any(line.startswith("make demo") for line in first)
    assert any(line.startswith("make test") for line in first)


@pytest.mark.parametrize("setting", [item.name for item in fields(Settings)])
def test_a_setting_is_documented(setting: str) -> None:
    assert f"| `{setting}` |" in page("docs/operating.md")


def test_every_command_is_documented() -> None:
    text = page("docs/operating.md")
    missing = [words for words, _ in generate.commands() if f"| `strongroom {words}` |" not in text]
    assert missing == []


@pytest.mark.parametrize("action", sorted(CATALOGUE))
def test_an_action_of_the_log_is_documented(action: str) -> None:
    assert f"| `{action}` |" in page("docs/log.md")


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_is_documented(rule: str) -> None:
    assert f"| `{rule}` |" in page("docs/policy.md")


def test_the_rules_table_holds_no_rule_that_is_not_there() -> None:
    table = re.findall(r"^\| `([a-z-]+)` \|.*\| (yes|no) \|$", page("docs/policy.md"), re.MULTILINE)
    assert {name for name, _ in table} == set(RULES)


@pytest.mark.parametrize("action", list(Action))
def test_what_a_role_may_do_is_documented(action: Action) -> None:
    assert f"`{action}`" in page("docs/policy.md")


@pytest.mark.parametrize("role", list(Role))
def test_a_role_has_its_page(role: Role) -> None:
    assert (ROOT / "docs" / "users" / f"{role}.md").exists()


def test_every_address_of_the_api_is_documented() -> None:
    text = page("docs/api.md")
    missing = [path for path in describe("")["paths"] if f"/api/v1{path}" not in text]
    assert missing == []


def test_every_status_of_a_problem_is_documented() -> None:
    rows = re.findall(r"^\| (\d{3})(?:, (\d{3}))? \|", page("docs/api.md"), re.MULTILINE)
    assert {int(status) for row in rows for status in row if status} == set(TITLES)


def test_every_notice_of_the_content_is_documented() -> None:
    assert [kind for kind in NoticeKind if f"`{kind.value}`" not in page("docs/api.md")] == []


def test_every_field_of_a_leaf_is_documented() -> None:
    assert ", ".join(FIELDS) in " ".join(page("docs/formats.md").split())


def test_the_documentation_names_no_file_that_is_not_there() -> None:
    named = {
        found
        for path in PAGES
        for found in re.findall(r"`((?:policies|crypto|portal|tests|docs)/[\w./]+)`", path.read_text("utf-8"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def defined() -> set[str]:
    """Return every function and `Class.method` of the three root packages."""
    names: set[str] = set()
    for room in ("policies", "crypto", "portal"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef):
                    names |= {node.name, f"{path.stem}.{node.name}"}
                elif isinstance(node, ast.ClassDef):
                    below = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
                    names |= {node.name, *(f"{node.name}.{name}" for name in below)}
    return names


def test_the_architecture_names_functions_that_exist() -> None:
    known = defined()
    text = _CODE.sub("", page("docs/architecture.md"))
    named = set(re.findall(r"`([A-Z]\w+\.\w+|[a-z]\w*\._\w+|[A-Z][a-z]+[A-Z]\w+)`", text))
    assert len(named) > 25
    assert sorted(named - known) == []


def test_the_licence_is_whole() -> None:
    text = page("LICENSE")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
