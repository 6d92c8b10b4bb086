"""`push`, `list` and `pull` against a running portal, with real documents."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from portal.cli.remote import Remote
from portal.cli.transfers import safe_name
from portal.errors import Invalid
from tests.demonstration import Demo
from tests.shared import DOCUMENTS

FILES = [DOCUMENTS / name for name in ("testPDF.pdf", "testWORD.docx", "full_encrypted.7z")]


def _push(demo: Demo, *arguments: str, role: str = "partner") -> list[dict[str, str]]:
    done = demo.run("push", "--json", *arguments, role=role)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def pushed(demo: Demo) -> dict[str, str]:
    """Ids of three real documents, sent as the partner, by file name."""
    marking = ("--programme", "Harbour Watch", "--label", "NATO RESTRICTED")
    receipts = _push(demo, *marking, *map(str, FILES))
    return {Path(receipt["file"]).name: receipt["id"] for receipt in receipts}


def test_files_come_down_as_they_went_up(demo: Demo, pushed: dict[str, str], tmp_path: Path) -> None:
    pulled = demo.run("pull", *pushed.values(), "--out", str(tmp_path), role="official")
    assert pulled.returncode == 0, pulled.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in FILES
    }
    assert (
        "there already"
        in demo.run("pull", pushed["testPDF.pdf"], "--out", str(tmp_path), role="official").stdout
    )


def test_a_list_shows_what_was_sent(demo: Demo, pushed: dict[str, str]) -> None:
    listed = demo.run("list", "--json", "--programme", demo.programmes[0]["id"], role="official")
    found = {item["id"]: item for item in map(json.loads, listed.stdout.splitlines())}
    assert found[pushed["testPDF.pdf"]]["title"] == "testPDF"
    table = demo.run("list", "--search", "testPDF", role="official").stdout
    assert pushed["testPDF.pdf"] in table
    assert "NATO RESTRICTED" in table
    assert pushed["testWORD.docx"] not in table


def test_a_download_goes_on_where_it_broke_off(demo: Demo, pushed: dict[str, str], tmp_path: Path) -> None:
    content = (DOCUMENTS / "testPDF.pdf").read_bytes()
    document = pushed["testPDF.pdf"]
    draft = tmp_path / f".{document}.{hashlib.sha256(content).hexdigest()[:16]}.part"
    draft.write_bytes(content[:20_000])
    pulled = demo.run("pull", document, "--out", str(tmp_path), role="official")
    assert pulled.returncode == 0, pulled.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["testPDF.pdf"]
    assert (tmp_path / "testPDF.pdf").read_bytes() == content
    records = demo.ask(
        "auditor", "GET", "/audit/records", params={"document": document, "action": "document.read"}
    )
    assert [f"20000-{len(content)}"] in [
        item["details"]["ranges"] for item in records.json()["items"] if "details" in item
    ]


def test_a_draft_that_is_not_the_document_is_thrown_away(
    demo: Demo, pushed: dict[str, str], tmp_path: Path
) -> None:
    content = (DOCUMENTS / "testPDF.pdf").read_bytes()
    document = pushed["testPDF.pdf"]
    draft = tmp_path / f".{document}.{hashlib.sha256(content).hexdigest()[:16]}.part"
    draft.write_bytes(b"x" * 20_000)
    pulled = demo.run("pull", document, "--out", str(tmp_path), role="official")
    assert pulled.returncode == 1
    assert "digest" in pulled.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_replaced_only_when_told(
    demo: Demo, pushed: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "testWORD.docx"
    target.write_bytes(b"mine")
    arguments = ("pull", pushed["testWORD.docx"], "--out", str(tmp_path))
    assert demo.run(*arguments, role="official").returncode == 1
    assert target.read_bytes() == b"mine"
    assert demo.run(*arguments, "--overwrite", role="official").returncode == 0
    assert target.read_bytes() == (DOCUMENTS / "testWORD.docx").read_bytes()


def test_a_new_version_keeps_title_and_label(demo: Demo, tmp_path: Path) -> None:
    path = tmp_path / "notes with a ünïcode name.txt"
    path.write_text("first")
    marking = ("--programme", "Harbour Watch", "--label", "NATO UNCLASSIFIED", "--title", "Notes, première")
    document = _push(demo, *marking, str(path))[0]["id"]
    path.write_text("second")
    assert _push(demo, "--version-of", document, str(path))[0]["version"] == 2
    shown = demo.ask("official", "GET", f"/documents/{document}").json()
    assert (shown["title"], shown["version"], shown["file_name"]) == ("Notes, première", 2, path.name)


def test_one_bad_file_does_not_keep_the_others_back(demo: Demo, tmp_path: Path) -> None:
    good, empty = tmp_path / "good.txt", tmp_path / "empty.txt"
    shutil.copy(DOCUMENTS / "README.md", good)
    empty.touch()
    done = demo.run(
        "push",
        "--programme",
        "Harbour Watch",
        "--label",
        "NATO UNCLASSIFIED",
        str(empty),
        str(good),
        role="partner",
    )
    assert done.returncode == 1
    assert "good.txt: document" in done.stdout
    assert "empty.txt is empty" in done.stderr


@pytest.mark.parametrize(
    ("role", "label", "programme", "told"),
    [
        ("partner", "NATO NONSENSE", "Harbour Watch", "NONSENSE"),
        ("partner", "COSMIC TOP SECRET", "Harbour Watch", "cannot be deposited"),
        ("partner", "NATO SECRET", "No Such Programme", "Open to you: "),
        ("administrator", "NATO SECRET", "Harbour Watch", "There is no programme"),
    ],
)
def test_a_refusal_is_told_in_the_portals_words(
    demo: Demo, role: str, label: str, programme: str, told: str
) -> None:
    done = demo.run("push", "--programme", programme, "--label", label, str(FILES[0]), role=role)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_out_of_reach_looks_like_what_is_not_there(
    demo: Demo, pushed: dict[str, str], tmp_path: Path
) -> None:
    hidden = demo.run("pull", pushed["testPDF.pdf"], "--out", str(tmp_path), role="partner-other")
    absent = demo.run(
        "pull", "00000000-0000-4000-8000-000000000000", "--out", str(tmp_path), role="partner-other"
    )
    assert (hidden.returncode, hidden.stdout, hidden.stderr) == (1, absent.stdout, absent.stderr)


def test_a_token_that_does_not_hold_is_refused(demo: Demo) -> None:
    done = demo.run("list", "--token", "srt_forged")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not signed in" in done.stderr


def test_calls_that_are_wrong_end_with_status_2(demo: Demo) -> None:
    assert demo.run("push", str(FILES[0]), role="partner").returncode == 2
    assert (
        demo.run("push", "--version-of", "x", "--title", "y", str(FILES[0]), role="partner").returncode == 2
    )
    assert demo.run("list").returncode == 2


@pytest.mark.parametrize("url", ["http://portal.example", "ftp://localhost", "localhost:8000", "https://"])
def test_a_token_is_sent_only_where_it_is_protected(url: str) -> None:
    with pytest.raises(Invalid):
        Remote(url, "srt_token")


def test_a_portal_that_is_not_there_is_told(demo: Demo) -> None:
    done = demo.run("list", "--url", "http://localhost:9", role="official")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b:c.txt", "a_b_c.txt"),
        ("..", "document"),
        ("line\nbreak\u202e.pdf", "line_break_.pdf"),
    ],
)
def test_no_name_leads_out_of_the_folder(raw: str, name: str) -> None:
    assert safe_name(raw) == name
