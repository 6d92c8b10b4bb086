from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import flask
import pytest

from portal.cli.logs import JsonLines

SECRET = "Quarterdeck plan"


@pytest.fixture
def app() -> Iterator[flask.Flask]:
    made = flask.Flask(__name__)
    with made.test_request_context("/"):
        yield made


def line_of(**more: object) -> dict[str, object]:
    record = logging.LogRecord(
        "portal", logging.ERROR, __file__, 1, "request failed: %s", ("KeyError",), **more
    )
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def failing() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as fault:
        raise ValueError(f"{SECRET} is not there") from fault


def test_a_line_carries_the_id_of_the_request_that_it_came_from(app: flask.Flask) -> None:
    flask.g.request_id = "0f6d"
    told = line_of(exc_info=None)
    assert (told["level"], told["logger"], told["message"], told["request"]) == (
        "ERROR",
        "portal",
        "request failed: KeyError",
        "0f6d",
    )
    assert str(told["time"]).endswith("Z")


def test_outside_a_request_there_is_no_id() -> None:
    assert "request" not in line_of(exc_info=None)


def test_an_exception_and_its_causes_are_told_by_kind_and_place_and_never_by_their_words() -> None:
    try:
        failing()
    except ValueError:
        told = line_of(exc_info=sys.exc_info())
    assert SECRET not in json.dumps(told)
    errors = told["errors"]
    assert isinstance(errors, list)
    assert [error["kind"] for error in errors] == ["ValueError", "KeyError"]
    assert errors[0]["places"][-1].endswith(" failing")


def test_errors_that_name_one_another_end() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    told = line_of(exc_info=(ValueError, one, None))
    assert isinstance(told["errors"], list)
    assert len(told["errors"]) == 2
