import gzip
import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.errors import PortalError, Unavailable
from portal.web.assets import STATIC_DIR, Assets, install


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app-0123.css").write_text("body{}")
    (tmp_path / "app-0123.css.gz").write_bytes(gzip.compress(b"body{}"))
    (tmp_path / "icons-0123.svg").write_text("<svg/>")
    (tmp_path / "pdfjs-0123" / "wasm").mkdir(parents=True)
    (tmp_path / "pdfjs-0123" / "wasm" / "a.wasm").write_bytes(b"\0asm")
    manifest = {
        "files": {"app.css": "app-0123.css", "icons.svg": "icons-0123.svg"},
        "folders": {"pdfjs/": "pdfjs-0123/"},
        "icons": ["lock"],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    app = Flask("bundle", static_folder=None)
    install(app, Assets.load(folder))
    return app.test_client()


def test_a_missing_front_end_is_told_with_its_mend(tmp_path):
    with pytest.raises(Unavailable) as caught:
        Assets.load(tmp_path)
    assert "make setup" in caught.value.mend


def test_a_manifest_that_lists_a_lost_file_is_refused(folder):
    (folder / "app-0123.css").unlink()
    with pytest.raises(Unavailable, match=r"app-0123\.css is missing"):
        Assets.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": [], "folders": {}, "icons": []}'])
def test_a_manifest_that_cannot_be_read_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(Unavailable):
        Assets.load(folder)


def test_addresses_carry_the_hash(folder):
    assets = Assets.load(folder)
    assert assets.url("app.css") == "/static/app-0123.css"
    assert assets.url("pdfjs/") == "/static/pdfjs-0123/"
    assert assets.icon_url("lock") == "/static/icons-0123.svg#lock"


def test_an_unknown_file_or_icon_is_an_error(folder):
    assets = Assets.load(folder)
    for ask in (lambda: assets.url("other.js"), lambda: assets.icon_url("unlock")):
        with pytest.raises(PortalError):
            ask()


def test_files_are_kept_for_a_year(client):
    response = client.get("/static/app-0123.css", buffered=True)
    assert response.mimetype == "text/css"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers


def test_files_go_out_as_compressed_as_the_client_takes(client):
    packed = client.get("/static/app-0123.css", headers={"Accept-Encoding": "gzip, br"}, buffered=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == b"body{}"
    assert "Accept-Encoding" in packed.headers["Vary"]
    plain = client.get("/static/app-0123.css", headers={"Accept-Encoding": "gzip;q=0"}, buffered=True)
    assert "Content-Encoding" not in plain.headers
    assert plain.data == b"body{}"


def test_files_within_a_listed_folder_are_served(client):
    response = client.get("/static/pdfjs-0123/wasm/a.wasm", buffered=True)
    assert response.mimetype == "application/wasm"


@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "app.css",
        "pdfjs-0123",
        "pdfjs-0123/",
        "pdfjs-0123/../manifest.json",
        "../assets.py",
        "%2e%2e/x",
    ],
)
def test_nothing_else_is_served(client, path):
    assert client.get(f"/static/{path}", buffered=True).status_code == 404


def test_the_built_bundle_is_whole_and_holds_every_icon_that_templates_name():
    assets = Assets.load(STATIC_DIR)
    for name in ("app.css", "app.js", "upload.js", "label-picker.js", "viewer.js", "pdf.worker.js", "pdfjs/"):
        assert assets.url(name)
    sprite = (STATIC_DIR / assets.files["icons.svg"]).read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == assets.icons


def test_the_first_visit_and_the_viewer_stay_small():
    def packed(*names: str) -> int:
        files = Assets.load(STATIC_DIR).files
        paths = [STATIC_DIR / f"{files[name]}.gz" for name in names]
        return sum(path.stat().st_size for path in paths)

    font = (STATIC_DIR / Assets.load(STATIC_DIR).files["inter-latin.woff2"]).stat().st_size
    first = packed("app.css", "app.js", "icons.svg") + font
    assert first <= 150_000
    assert first + packed("viewer.js", "pdf.worker.js") <= 700_000
