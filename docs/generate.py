"""Writes the parts of the documentation that come from the code, between markers in the Markdown files.

Run `python docs/generate.py` from the repository's folder after a setting, an action of the log, a role's action or a
command has changed; with `--check` nothing is written, and the exit status is 1 when a part is stale.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import MappingProxyType

import click

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.requests import Action, Role
from policies.rules import ROLE_ACTIONS, RULES, UPLOAD_RULES
from portal.audit.catalogue import CATALOGUE, describe
from portal.cli import main as command_line
from portal.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
_BEGIN = "<!-- generated: {} (python docs/generate.py) -->"
_END = "<!-- end of {} -->"


def settings_table() -> str:
    """Return every setting with its variable, its kind, its default and its meaning."""
    lines = ["| setting | environment | kind | default | meaning |", "|---|---|---|---|---|"]
    for item in fields(Settings):
        kind = str(item.type).replace(" | None", "").replace("Mapping[str, int]", "levels")
        meaning = str(item.metadata["doc"]).replace("|", "\\|")
        lines.append(
            f"| `{item.name}` | `STRONGROOM_{item.name.upper()}` | {kind} | {_default(item)} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


def _default(item: Field[object]) -> str:
    if item.default_factory is not MISSING:
        made = item.default_factory()
        assert isinstance(made, Mapping)
        return "`" + ",".join(f"{name}={level}" for name, level in made.items()) + "`"
    if item.default is MISSING:
        return "none: must be given"
    if item.default is None or item.default == "":
        return "see the meaning"
    if isinstance(item.default, bool):
        return f"`{str(item.default).lower()}`"
    return f"`{item.default}`"


def actions_table() -> str:
    """Return what each role may do, as `role-permits` knows it."""
    lines = ["| role | actions |", "|---|---|"]
    for role in Role:
        held = ", ".join(f"`{action}`" for action in Action if action in ROLE_ACTIONS[role])
        lines.append(f"| {role} | {held} |")
    return "\n".join(lines) + "\n"


def rules_table() -> str:
    """Return every rule with what its docstring says, and of what it is asked."""
    lines = ["| rule | permits when | asked of uploads |", "|---|---|---|"]
    for name, rule in RULES.items():
        words = " ".join((rule.__doc__ or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {words} | {'yes' if name in UPLOAD_RULES else 'no'} |")
    return "\n".join(lines) + "\n"


def reserved_actions() -> str:
    """Return the actions of the catalogue that no code records yet."""
    used = recorded_actions()
    return "\n".join(
        f"- `{name}`: {CATALOGUE[name].meaning}" for name in sorted(CATALOGUE) if name not in used
    )


def recorded_actions() -> frozenset[str]:
    """Return the actions that the portal's code names anywhere but in the catalogue and in what puts it into words."""
    found: set[str] = set()
    for path in sorted((ROOT / "portal").rglob("*.py")):
        if (
            path.name not in ("catalogue.py", "audit_choices.py", "audit_words.py")
            and "node_modules" not in path.parts
        ):
            found.update(_names(ast.parse(path.read_text("utf-8"))))
    return frozenset(found & set(CATALOGUE))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute) and node.attr in Action.__members__:
            yield Action[node.attr].value


def commands_table() -> str:
    """Return every command that is there, with its options."""
    lines = ["| command | what it does | arguments and options |", "|---|---|---|"]
    for words, command in commands():
        text = (command.help or command.short_help or "").strip().split("\n\n")[0].replace("\n", " ")
        parameters = ", ".join(f"`{_parameter(item)}`" for item in command.params)
        lines.append(f"| `strongroom {words}` | {text} | {parameters} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand by its words, those whose module is not written yet left out."""
    context = click.Context(command_line.cli)
    for name in command_line.cli.list_commands(context):
        module = command_line._COMMANDS[name].partition(":")[0]
        if importlib.util.find_spec(module) is not None:
            command = command_line.cli.get_command(context, name)
            assert command is not None
            yield from _below(name, command)


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from _below(f"{words} {name}", below)


def _parameter(item: click.Parameter) -> str:
    if isinstance(item, click.Argument):
        return item.make_metavar(click.Context(click.Command(""))).strip("[]")
    longest = max(item.opts, key=len)
    if isinstance(item, click.Option) and (item.is_flag or item.count):
        return longest
    name = item.metavar or longest.lstrip("-").upper()
    return f"{longest} {name}"


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = MappingProxyType(
    {
        "settings": ("docs/operating.md", settings_table),
        "commands": ("docs/operating.md", commands_table),
        "catalogue": ("docs/log.md", describe),
        "reserved": ("docs/log.md", reserved_actions),
        "actions": ("docs/policy.md", actions_table),
        "rules": ("docs/policy.md", rules_table),
    }
)
"""Every generated part by its name: the file that it stands in, and what makes it."""


def replaced(text: str, name: str, content: str) -> str:
    """Return `text` with the part `name` replaced; raises ValueError when its markers are missing."""
    begin, end = _BEGIN.format(name), _END.format(name)
    before, first, rest = text.partition(begin)
    _, second, after = rest.partition(end)
    if not (first and second):
        raise ValueError(f"the markers of the part “{name}” are missing")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def stale() -> dict[str, str]:
    """Return each file that is not as it should be, with what it should hold."""
    wanted: dict[str, str] = {}
    for name, (file, make) in PARTS.items():
        text = wanted.get(file) or (ROOT / file).read_text("utf-8")
        wanted[file] = replaced(text, name, make())
    return {file: text for file, text in wanted.items() if (ROOT / file).read_text("utf-8") != text}


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or with `--check` only name it; returns the exit status."""
    found = stale()
    for file, text in found.items():
        if "--check" in arguments:
            print(f"{file} is stale: run python docs/generate.py", file=sys.stderr)
        else:
            (ROOT / file).write_text(text, "utf-8")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
