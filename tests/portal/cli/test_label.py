"""`strongroom label`: what it reads, writes and checks, without an installation."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto.keyring import RingKey, WrappedKey
from policies import SHIPPED, load_policy, stanag4774, stanag4778
from policies.nations import load_nations
from portal.services.binding_signature import BindingKey, sign
from tests.demonstration import strongroom
from tests.shared import POLICIES

NOW = datetime(2026, 11, 24, tzinfo=UTC)
POLICY = load_policy(SHIPPED)
PUBLISHED = str(POLICIES / "nato-spif-v79.xml")


def run(*arguments: str, expected: int = 0) -> str:
    done = strongroom("label", *arguments)
    assert done.returncode == expected, done.stderr
    return done.stdout if expected == 0 else done.stderr


def test_a_marking_is_read_as_its_label() -> None:
    found = json.loads(run("parse", "nato restricted releasable to japan, switzerland", "--json"))
    assert (found["classification"], found["policy"]["name"]) == ("RESTRICTED", "NATO")
    assert found["categories"]["Context"] == ["NATO", "Releasable"]
    assert found["marking"].startswith("NATO RESTRICTED Releasable to Japan, Switzerland")
    words = run("parse", "NATO SECRET")
    assert words.startswith("NATO SECRET\n")
    assert "Context         NATO" in words


@pytest.mark.parametrize(
    ("number", "language", "marking"),
    [
        (1, "en", "NATO UNCLASSIFIED Releasable to ISAF, KFOR, RESOLUTE SUPPORT"),
        (1, "fr", "NATO SANS CLASSIFICATION Communicable a ISAF, KFOR, RESOLUTE SUPPORT"),
        (4, "en", "NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine"),
        (6, "en", "NATO/KFOR CONFIDENTIAL Ireland, Sweden, Ukraine, NATO ONLY"),
    ],
)
def test_published_labels_are_rendered(number: int, language: str, marking: str) -> None:
    file = str(POLICIES / f"label-nato-{number}.4774.xml")
    assert run("render", file, "--policy", PUBLISHED, "--language", language) == f"{marking}\n"


def test_what_does_not_hold_is_refused_with_the_reason() -> None:
    assert "EAPC" in run("parse", str(POLICIES / "label-nato-5.4774.xml"), expected=1)
    assert "not well-formed" in run(
        "parse", str(POLICIES / "label-acme-wrong-namespace.4774.xml"), expected=1
    )
    assert "no marking" in run("parse", "NATO VERY SECRET", expected=1)


def test_a_label_is_written_whole_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "label.xml"
    file.write_text(run("render", "NATO SECRET", "--xml"), "utf-8")
    assert json.loads(run("render", str(file), "--json"))["marking"] == "NATO SECRET"
    both = json.loads(run("render", "NATO SECRET", "--xml", "--json"))
    assert (both["marking"], "ConfidentialityInformation" in both["xml"]) == ("NATO SECRET", True)
    read = stanag4774.read(file.read_bytes(), POLICY, require_complete=True)
    assert read.label == POLICY.parse_marking("NATO SECRET")


def test_a_nations_label_is_shown_with_its_equivalent(tmp_path: Path) -> None:
    germany = load_nations()["DEU"]
    file = tmp_path / "label.xml"
    file.write_bytes(stanag4774.serialise(germany.label("GEHEIM"), created=NOW, policy=germany))
    found = json.loads(run("parse", str(file), "--json"))
    assert (found["policy"]["name"], found["marking"]) == ("DEU", "GEHEIM")
    assert [other["marking"] for other in found["equivalents"]] == ["NATO SECRET"]
    assert "Equivalent      NATO SECRET" in run("parse", str(file))
    unknown = run("parse", str(file), "--policy", str(POLICIES / "example-spif.xml"), expected=1)
    assert "no equivalences" in unknown


@pytest.fixture
def bound(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A document, its signed binding, and the certificate."""
    key = BindingKey.of(
        RingKey(WrappedKey("0011223344556677", "binding", "", 1, "active", NOW, b""), b"k" * 32), "portal"
    )
    document, binding, certificate = (tmp_path / name for name in ("plan.pdf", "plan.xml", "portal.pem"))
    document.write_bytes(b"the plan")
    label = stanag4774.serialise(POLICY.parse_marking("NATO SECRET"), created=NOW, policy=POLICY)
    unsigned = stanag4778.serialise([label], stanag4778.BoundData("plan.pdf", "application/pdf"))
    (tmp_path / "unsigned.xml").write_bytes(unsigned)
    binding.write_bytes(sign(unsigned, "plan.pdf", hashlib.sha384(b"the plan").digest(), key))
    certificate.write_text(key.pem)
    return document, binding, certificate


def test_a_binding_is_checked_against_document_and_certificate(bound: tuple[Path, Path, Path]) -> None:
    document, binding, certificate = map(str, bound)
    found = json.loads(run("verify", binding, document, "--certificate", certificate, "--json"))
    assert (found["marking"], found["trusted"], found["file"]) == ("NATO SECRET", True, "the same")
    words = run("verify", binding)
    assert "not compared" in words
    assert "carried by the binding itself" in words


def test_a_binding_that_does_not_hold_is_refused(bound: tuple[Path, Path, Path], tmp_path: Path) -> None:
    document, binding, certificate = bound
    document.write_bytes(b"another plan")
    told = run("verify", str(binding), str(document), "--certificate", str(certificate), expected=1)
    assert "is not the document" in told
    binding.write_bytes(binding.read_bytes().replace(b">SECRET<", b">RESTRICTED<"))
    assert "does not hold" in run("verify", str(binding), expected=1)
    assert "carries no signature" in run("verify", str(tmp_path / "unsigned.xml"), expected=1)
    binding.write_bytes(b"<a/>")
    assert "does not hold" in run("verify", str(binding), expected=1)
    certificate.write_text("no certificate")
    binding.write_bytes((tmp_path / "unsigned.xml").read_bytes())
    assert "carries no signature" in run(
        "verify", str(binding), "--certificate", str(certificate), expected=1
    )
