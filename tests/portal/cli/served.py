"""A small application served by `portal.cli.server`, run as a program by test_server.py: PORT and a folder."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import flask

from portal.cli.server import ServerSettings, serve
from portal.errors import PortalError
from portal.http.request import PortalRequest

FOLDER = Path(sys.argv[2])


def note(name: str) -> None:
    (FOLDER / name).write_text(str(resource.getrlimit(resource.RLIMIT_CORE)))


def make_app() -> flask.Flask:
    app = flask.Flask(__name__)
    app.request_class = PortalRequest

    @app.errorhandler(PortalError)
    def told(error: PortalError) -> tuple[str, int]:
        return error.message, error.status

    @app.post("/refuse")
    def refuse() -> tuple[str, int]:
        return "refused before it was read", 413

    @app.post("/count")
    def count() -> str:
        request = flask.request
        assert isinstance(request, PortalRequest)
        return str(sum(map(len, request.body(1 << 30))))

    @app.post("/form")
    def form() -> str:
        return flask.request.form["a"]

    @app.get("/endless")
    def endless() -> flask.Response:
        def content() -> Iterator[bytes]:
            try:
                while True:
                    yield bytes(1 << 20)
            finally:
                note("content-closed")

        return flask.Response(content(), headers={"Content-Length": str(1 << 50)})

    @app.get("/fails")
    def fails() -> flask.Response:
        def content() -> Iterator[bytes]:
            yield b"some"
            raise RuntimeError("midway")

        return flask.Response(content(), headers={"Content-Length": "1000"})

    @app.get("/slow")
    def slow() -> str:
        note("slow")
        time.sleep(0.5)
        return "done"

    return app


if __name__ == "__main__":
    serve(
        make_app,
        ServerSettings(port=int(sys.argv[1]), threads=4),
        on_serving=lambda: note("serving"),
        on_end=lambda: note("ended"),
    )
