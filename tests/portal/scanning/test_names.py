from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.scanning import clean_file_name, clean_title


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "Étude d'impact (v2).docx",
        ".profile",
        "a",
        "ü" * 127,
        "報告書.pdf",
        "con-tract.txt",
        "a..b",
    ],
)
def test_an_ordinary_name_is_kept_as_it_is(name: str) -> None:
    assert clean_file_name(name) == name


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "no name"),
        ("   ", "no name"),
        ("../secret", "path"),
        ("a/b", "path"),
        ("C:\\a.pdf", "path"),
        ("a.txt:stream", "path"),
        (".", "path"),
        ("..", "path"),
        ("a\0.pdf", "control"),
        ("a\r\nb", "control"),
        ("a\x7f", "control"),
        ("a\u2028b", "control"),
        ("a\ud800", "control"),
        ("invoice\u202efdp.exe", "direction"),
        ("a\u2066b", "direction"),
        ("a\u200bb", "invisible"),
        ("ü" * 128, "255 bytes"),
        ("x" * 4096, "255 bytes"),
        (" a.pdf", "space"),
        ("a.pdf ", "space"),
        ("a.pdf.", "dot"),
        ("CON", "device"),
        ("aux.txt", "device"),
        ("Com1.tar.gz", "device"),
        ("lpt¹", "device"),
        ("NUL .txt", "device"),
    ],
)
def test_a_bad_name_is_refused_with_what_is_wrong_and_how_to_mend_it(name: str, word: str) -> None:
    with pytest.raises(Invalid) as told:
        clean_file_name(name)
    assert word in told.value.message
    assert told.value.mend
    assert "\n" not in told.value.message
    assert "\0" not in told.value.message


@given(st.text())
def test_a_name_is_kept_unchanged_or_refused(name: str) -> None:
    try:
        assert clean_file_name(name) == name
    except Invalid:
        return
    assert 1 <= len(name.encode()) <= 255
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def test_a_title_is_kept_without_the_spaces_around_it() -> None:
    assert clean_title("  Wing box: étude d'impact, 1/2 \n") == "Wing box: étude d'impact, 1/2"
    assert clean_title("x" * 200) == "x" * 200


@pytest.mark.parametrize("title", ["", " \n", "x" * 201, "a\nb", "a\0", "a\u202eb", "a\u2069"])
def test_a_bad_title_is_refused(title: str) -> None:
    with pytest.raises(Invalid) as told:
        clean_title(title)
    assert told.value.mend
