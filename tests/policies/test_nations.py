"""National policies: made from the table of published equivalents, and nothing ever rounded down."""

import csv
import re
from functools import cache
from pathlib import Path

import pytest

from policies import InvalidLabel, Label, SecurityPolicy, nations
from tests.policies.builders import clearance, published, shipped
from tests.shared import POLICIES

NATO_COLUMNS = {
    "nr_level": "RESTRICTED",
    "nc_level": "CONFIDENTIAL",
    "ns_level": "SECRET",
    "cts_level": "TOP SECRET",
}


@cache
def loaded() -> dict[str, SecurityPolicy]:
    return dict(nations.load_nations())


def researched() -> list[dict[str, str]]:
    with (POLICIES / "equivalence.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["iso3"] != "NATO"]


def pairs() -> list[tuple[str, str, str]]:
    return [(nation.code, own, nato) for nation in nations.read_table() for nato, own in nation.levels]


def test_files_are_what_the_table_says(tmp_path: Path) -> None:
    table = nations.read_table()
    nations.write(table, tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in nations.FOLDER.glob("*.xml")}
    assert set(loaded()) == {nation.code for nation in table}
    assert {policy.id for policy in loaded().values()} == {nation.policy_id for nation in table}


def test_table_holds_every_verified_row_and_no_other() -> None:
    table = {nation.code: nation for nation in nations.read_table()}
    verified = [row for row in researched() if row["status"] == "VERIFIED"]
    assert set(table) == {row["iso3"] for row in verified}
    for row in verified:
        words = {nato: row[column] for column, nato in NATO_COLUMNS.items()}
        expected = {
            nato: re.sub(r"\s*\(.*\)$", "", cell) for nato, cell in words.items() if not cell.startswith("(")
        }
        assert dict(table[row["iso3"]].levels) == expected
        assert table[row["iso3"]].source == row["source"]


def test_what_was_only_recalled_stays_out() -> None:
    assert not {"GBR", "CAN", "NLD", "SWE", "TUR"} & set(loaded())


@pytest.mark.parametrize(("code", "own", "nato"), pairs())
def test_national_label_gets_its_equivalent(code: str, own: str, nato: str) -> None:
    policy = loaded()[code]
    label = policy.label(own)
    assert policy.problems(label) == ()
    assert policy.marking(label) == own
    assert policy.parse_marking(own.lower()) == label
    translated = policy.translate(label, shipped())
    assert translated == Label.of(shipped().id, nato, {"Context": ["NATO"]})
    assert policy.translate(label, published()) == translated


@pytest.mark.parametrize("code", sorted({code for code, _, _ in pairs()}))
def test_order_of_levels_is_kept(code: str) -> None:
    policy = loaded()[code]
    ranks = [
        shipped().rank(policy.translate(Label.of(policy.id, item.name), shipped()).classification)
        for item in policy.classifications
    ]
    assert ranks == sorted({rank for rank in ranks if rank is not None})


@pytest.mark.parametrize(
    ("code", "own", "nato"),
    [
        ("ESP", "RESERVADO", "SECRET"),
        ("FIN", "SALAINEN / HEMLIG", "SECRET"),
        ("DEU", "GEHEIM", "SECRET"),
        ("CHE", "GEHEIM/SECRET/SEGRETO", "SECRET"),
        ("FRA", "TRÈS SECRET", "TOP SECRET"),
    ],
)
def test_false_friends_mean_what_the_treaties_say(code: str, own: str, nato: str) -> None:
    assert loaded()[code].translate(loaded()[code].label(own), shipped()).classification == nato


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("FRA", "CONFIDENTIEL DÉFENSE"),
        ("FRA", "DIFFUSION RESTREINTE"),
        ("BEL", "DIFFUSION RESTREINTE"),
        ("USA", "RESTRICTED"),
        ("OCC", "OCCAR TOP SECRET"),
    ],
)
def test_level_that_does_not_exist_is_no_label(code: str, name: str) -> None:
    policy = loaded()[code]
    with pytest.raises(InvalidLabel):
        policy.label(name)
    with pytest.raises(InvalidLabel) as caught:
        policy.translate(Label.of(policy.id, name), shipped())
    assert [reason.code for reason in caught.value.reasons] == ["unknown-classification"]


def test_national_label_with_its_alternative_is_decided_by_it_and_denied_without() -> None:
    policy = loaded()["DEU"]
    national = policy.label("GEHEIM")
    assert [r.code for r in shipped().decide(national, clearance()).reasons] == ["other-policy"]
    both = national.beside(policy.translate(national, shipped()))
    assert shipped().permits(both, clearance("SECRET"))
    assert not shipped().permits(both, clearance("CONFIDENTIAL"))
    assert shipped().marking(both) == "NATO SECRET"
    assert policy.marking(both) == "GEHEIM"
    assert [r.code for r in shipped().decide(both, clearance("CONFIDENTIAL")).reasons] == [
        "classification-not-held"
    ]
