from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.identity import totp
from tests.portal.factories import START

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()

# RFC 6238, appendix B, SHA-1: seconds since 1970 and the last six of the eight digits.
RFC_VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("seconds", "code"), RFC_VECTORS)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp.code_at(RFC_SECRET, moment) == code
    assert totp.matching_step(RFC_SECRET, code, moment) == seconds // 30


def test_a_secret_is_as_long_as_the_hash_and_new_each_time() -> None:
    secret = totp.new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert secret != totp.new_secret()


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_one_step_away_is_accepted(steps: int) -> None:
    code = totp.code_at(RFC_SECRET, START + timedelta(seconds=30 * steps))
    assert totp.matching_step(RFC_SECRET, code, START) == totp.step_at(START) + steps


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_further_away_is_refused(steps: int) -> None:
    code = totp.code_at(RFC_SECRET, START + timedelta(seconds=30 * steps))
    assert totp.matching_step(RFC_SECRET, code, START) is None


def test_a_code_is_accepted_once() -> None:
    code = totp.code_at(RFC_SECRET, START)
    step = totp.matching_step(RFC_SECRET, code, START)
    assert step is not None
    assert totp.matching_step(RFC_SECRET, code, START, after=step) is None
    later = START + timedelta(seconds=30)
    assert totp.matching_step(RFC_SECRET, code, later, after=step) is None
    assert totp.matching_step(RFC_SECRET, totp.code_at(RFC_SECRET, later), later, after=step) == step + 1


def test_a_step_before_the_last_used_is_refused() -> None:
    before = totp.code_at(RFC_SECRET, START - timedelta(seconds=30))
    assert totp.matching_step(RFC_SECRET, before, START, after=totp.step_at(START)) is None


def test_a_code_may_be_written_with_spaces() -> None:
    code = totp.code_at(RFC_SECRET, START)
    assert totp.matching_step(RFC_SECRET, f" {code[:3]} {code[3:]} ", START) is not None


@given(st.text(max_size=12))
def test_any_other_text_is_no_code(text: str) -> None:
    right = {totp.code_at(RFC_SECRET, START + timedelta(seconds=30 * steps)) for steps in (-1, 0, 1)}
    found = totp.matching_step(RFC_SECRET, text, START)
    assert (found is not None) == ("".join(text.split()) in right)


def test_the_uri_is_what_apps_read() -> None:
    uri = urlsplit(totp.otpauth_uri(RFC_SECRET, account="anna@mod.example", issuer="Strongroom Test"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Strongroom Test:anna@mod.example"
    fields = parse_qs(uri.query)
    assert fields["secret"] == [RFC_SECRET]
    assert fields["issuer"] == ["Strongroom Test"]
    assert fields["digits"] == ["6"]
    assert fields["period"] == ["30"]
    assert fields["algorithm"] == ["SHA1"]


@pytest.mark.parametrize("secret", ["", "not base32!", "MFRGG", "ÄÖÜ", RFC_SECRET[:-8], RFC_SECRET + "1"])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(Invalid):
        totp.matching_step(secret, "123456", START)


def test_a_secret_may_be_typed_as_apps_show_it() -> None:
    typed = " ".join(RFC_SECRET[i : i + 4] for i in range(0, 32, 4)).lower()
    assert totp.code_at(typed, START) == totp.code_at(RFC_SECRET, START)
