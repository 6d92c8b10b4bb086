"""Title packs: read by the key ring alone, found by words, in order of time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import Damaged
from crypto.keyring import KeyRing
from crypto.titlepack import PackEntry, TitleIndex, normalise, open_piece, seal_piece, words
from tests.crypto.support import MemoryStore, new_root, ring_of

SECRET, RESTRICTED = b"s" * 32, b"r" * 32
TITLES = {
    "a": "Test report, radar",
    "b": "Radar test plan",
    "c": "Radar",
    "d": "Prüfbericht Radargerät",
    "e": "Łódź: état des lieux",
    "f": "D-3.2 Interface control document",
    "g": "Zeitplan",
}
ENTRIES = [
    PackEntry(document, RESTRICTED if document in "ac" else SECRET, title, number)
    for number, (document, title) in enumerate(TITLES.items(), 1)
]


def found(index: TitleIndex, query: str, labels: frozenset[bytes] | None = None) -> list[str]:
    return [document for _, document in index.search(query, labels)]


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return ring_of(new_root(tmp_path), MemoryStore())


@pytest.fixture
def index() -> TitleIndex:
    return TitleIndex(ENTRIES)


def test_a_piece_opens_as_it_was_sealed(ring: KeyRing) -> None:
    entries = (*ENTRIES, PackEntry("a", SECRET, None))
    blob = seal_piece(ring, "programme", 4, entries)
    assert open_piece(ring, "programme", 4, blob) == entries
    assert b"Radar" not in blob
    assert open_piece(ring, "programme", 5, seal_piece(ring, "programme", 5, ())) == ()


def test_a_piece_of_another_programme_or_number_is_refused(ring: KeyRing) -> None:
    blob = seal_piece(ring, "programme", 4, ENTRIES)
    for programme, number in (("other", 4), ("programme", 3), ("programme", 5)):
        with pytest.raises(Damaged):
            open_piece(ring, programme, number, blob)


def test_a_piece_altered_at_any_byte_is_refused(ring: KeyRing) -> None:
    blob = seal_piece(ring, "programme", 4, ENTRIES[:1])
    for place in range(len(blob)):
        altered = bytearray(blob)
        altered[place] ^= 1
        for forged in (bytes(altered), blob[:place]):
            with pytest.raises(Damaged):
                open_piece(ring, "programme", 4, forged)


def test_a_piece_under_a_key_of_another_kind_is_refused(ring: KeyRing) -> None:
    blob = seal_piece(ring, "programme", 4, ENTRIES)
    with pytest.raises(Damaged, match="another kind"):
        open_piece(ring, "programme", 4, blob[:1] + bytes.fromhex(ring.sealing("row").id) + blob[9:])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("radar", "cbad"),
        ("RADAR", "cbad"),
        ("rad", "cbda"),
        ("radar test", "ba"),
        ("test radar", "ba"),
        ("report radar", "a"),
        ("radar test plan", "b"),
        ("prufbericht", "d"),
        ("PRÜF", "d"),
        ("lodz", "e"),
        ("etat lieux", "e"),
        ("état des", "e"),
        ("D-3.2", "f"),
        ("3.2 inter", "f"),
        ("adar", ""),
        ("radar submarine", ""),
        ("", ""),
        ("  -- ", ""),
        ("(radar", "cbad"),
        ("radar.*", "cbad"),
    ],
)
def test_documents_are_found_by_the_beginnings_of_words(index: TitleIndex, query: str, expected: str) -> None:
    assert set(found(index, query)) == set(expected)


def test_the_newest_come_first_or_the_oldest(index: TitleIndex) -> None:
    assert found(index, "radar") == ["d", "c", "b", "a"]
    assert [document for _, document in index.search("radar", newest=False)] == ["a", "b", "c", "d"]
    index.add([PackEntry("h", SECRET, "A radar", 2), PackEntry("i", SECRET, "Another radar", 99)])
    assert found(index, "radar") == ["i", "d", "c", "h", "b", "a"]


def test_a_search_goes_on_from_any_place_among_those_of_one_time_too() -> None:
    index = TitleIndex(
        PackEntry(f"d{number}", SECRET, f"Radar {number}", number // 3) for number in range(30)
    )
    for newest in (True, False):
        whole = list(index.search("radar", newest=newest))
        assert whole == sorted(whole, reverse=newest)
        assert len(whole) == 30
        for place, match in enumerate(whole):
            assert list(index.search("radar", newest=newest, beyond=match)) == whole[place + 1 :]


def test_a_search_looks_no_further_than_it_is_asked(index: TitleIndex) -> None:
    matches = index.search("radar")
    assert next(matches) == (4, "d")
    index.add([PackEntry("c", SECRET, "Sonar", 3)])
    assert [document for _, document in matches] == ["c", "b", "a"]


def test_only_titles_of_the_given_labels_are_found(index: TitleIndex) -> None:
    assert found(index, "radar", frozenset({RESTRICTED})) == ["c", "a"]
    assert found(index, "radar", frozenset()) == []
    assert index.ordered(frozenset({RESTRICTED})) == ["c", "a"]


def test_an_entry_says_when_its_document_was_created_or_nothing_of_it(ring: KeyRing) -> None:
    entries = (PackEntry("a", SECRET, "One", 1_700_000_000_000_000), PackEntry("b", SECRET, "Two"))
    assert open_piece(ring, "programme", 1, seal_piece(ring, "programme", 1, entries)) == entries


def test_all_titles_stand_in_order_without_regard_to_case_and_accents(index: TitleIndex) -> None:
    assert index.ordered() == ["f", "e", "d", "c", "b", "a", "g"]
    assert len(index) == 7
    assert TitleIndex().ordered() == []
    assert found(TitleIndex(), "a") == []


def test_a_later_entry_takes_the_place_of_an_earlier_one(index: TitleIndex) -> None:
    index.add([PackEntry("c", SECRET, "Sonar"), PackEntry("g", SECRET, None)])
    assert set(found(index, "radar")) == {"b", "a", "d"}
    assert found(index, "sonar") == ["c"]
    assert found(index, "zeitplan") == []
    assert len(index) == 6
    index.add([PackEntry("i", SECRET, "One"), PackEntry("i", SECRET, "Two")])
    assert found(index, "one") == []
    assert found(index, "two") == ["i"]
    index.add([PackEntry("unknown", SECRET, None)])
    assert len(index) == 7


def test_titles_without_words_stand_in_the_order_but_are_not_found() -> None:
    index = TitleIndex([PackEntry("a", SECRET, "—"), PackEntry("b", SECRET, ""), PackEntry("c", SECRET, "c")])
    assert index.ordered() == ["a", "b", "c"]
    assert found(index, "c") == ["c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ÉTAT", "etat"),
        ("Straße", "strasse"),
        ("ﬁn", "fin"),
        ("Ørsted", "orsted"),
        ("İstanbul", "istanbul"),
        ("Ⅳ", "iv"),
    ],
)
def test_case_accents_and_ligatures_do_not_count(text: str, expected: str) -> None:
    assert normalise(text) == expected


texts = st.text(st.sampled_from("abAB éÉøß-_.12\n"), max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=8), texts)
def test_a_search_finds_what_looking_at_each_title_finds(titles: list[str], query: str) -> None:
    entries = [PackEntry(str(number), SECRET, title) for number, title in enumerate(titles)]
    asked = words(query)
    expected = {
        entry.document_id
        for entry in entries
        if asked and all(any(word.startswith(part) for word in words(entry.title or "")) for part in asked)
    }
    matching = found(TitleIndex(entries), query)
    assert set(matching) == expected
    assert len(matching) == len(expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.none() | texts), max_size=4), max_size=4))
def test_adding_piece_by_piece_gives_the_same_index(pieces: list[list[tuple[str, str | None]]]) -> None:
    entries = [
        [PackEntry(document, SECRET, title, len(title or "")) for document, title in piece]
        for piece in pieces
    ]
    grown = TitleIndex()
    for piece in entries:
        grown.add(piece)
    whole = TitleIndex(entry for piece in entries for entry in piece)
    assert grown.ordered() == whole.ordered()
    assert list(grown.search("a")) == list(whole.search("a"))
