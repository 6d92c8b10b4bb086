from __future__ import annotations

import tempfile
from collections.abc import Callable

import flask
import pytest

from portal.errors import Invalid, PortalError, TooLarge
from portal.http.request import MAX_FORM, PortalRequest

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> flask.Flask:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was asked for")

    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    made = flask.Flask(__name__)
    made.request_class = PortalRequest
    return made


def asked(app: flask.Flask, ask: Callable[[PortalRequest], object], **options: object) -> object:
    with app.test_request_context("/", method="POST", **options):  # type: ignore[arg-type]
        request = flask.request
        assert isinstance(request, PortalRequest)
        return ask(request)


def with_file(size: int) -> dict[str, object]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
        + bytes(size)
        + b"\r\n--b--\r\n"
    )
    return {"data": body, "content_type": "multipart/form-data; boundary=b"}


ASKS: list[Callable[[PortalRequest], object]] = [
    lambda request: request.form,
    lambda request: request.files,
    lambda request: request.values,
    lambda request: request.data,
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("size", [10, 900_000, 3_000_000])
def test_a_multipart_body_is_never_parsed_by_accident(
    app: flask.Flask, ask: Callable[[PortalRequest], object], size: int
) -> None:
    with pytest.raises(Invalid):
        asked(app, ask, **with_file(size))


def test_a_multipart_body_is_read_as_a_stream(app: flask.Flask) -> None:
    def ask(request: PortalRequest) -> int:
        form = request.multipart(limit=1 << 30)
        file = form.next_file()
        assert file is not None
        list(file)
        form.finish()
        return file.received

    assert asked(app, ask, **with_file(3_000_000)) == 3_000_000


def test_a_raw_body_beyond_the_limit_for_forms_is_read_as_a_stream(app: flask.Flask) -> None:
    options = {"data": bytes(3 * MAX_FORM), "content_type": "application/octet-stream"}
    assert asked(app, lambda request: sum(map(len, request.body(1 << 30))), **options) == 3 * MAX_FORM
    with pytest.raises(TooLarge):
        asked(app, lambda request: request.body(MAX_FORM), **options)


def test_a_body_of_unknown_length_is_not_waited_for_where_the_server_does_not_end_it(
    app: flask.Flask,
) -> None:
    assert asked(app, lambda request: list(request.body(10))) == []


def test_a_stream_of_parts_is_refused_where_there_are_none(app: flask.Flask) -> None:
    with pytest.raises(Invalid):
        asked(app, lambda request: request.multipart(1), data="a=1", content_type=FORM)
    with pytest.raises(Invalid):
        asked(app, lambda request: request.multipart(9), data="a=1", content_type="multipart/form-data")


def test_an_ordinary_form_is_read_and_bounded(app: flask.Flask) -> None:
    assert asked(app, lambda request: request.form["a"], data="a=1", content_type=FORM) == "1"
    with pytest.raises(TooLarge):
        asked(app, lambda request: request.form, data="a=" + "x" * MAX_FORM, content_type=FORM)


def test_no_stream_is_made_for_a_file(app: flask.Flask) -> None:
    with pytest.raises(PortalError):
        asked(app, lambda request: request._get_file_stream(1, None))
