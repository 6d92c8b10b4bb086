"""The bundled front end: hashed names from the manifest, and the route that serves the files for ever.

`frontend/build.mjs` writes `portal/web/static/` with a manifest; a file's name carries its content's hash, so
that an answer never changes and is cached for a year.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from flask import Flask, Response, request, send_from_directory
from werkzeug.exceptions import NotFound as NoSuchPage
from werkzeug.security import safe_join

from portal.errors import PortalError, Unavailable
from portal.http.security_headers import asset_headers

STATIC_DIR = Path(__file__).parent / "static"
"""Where the front end's build writes its files."""

ENDPOINT = "static"
"""The endpoint of the files: open to everybody, signed in or not."""

_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_MEDIA_TYPES = MappingProxyType(
    {
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".ttf": "font/ttf",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
    }
)


@dataclass(frozen=True, slots=True)
class Assets:
    """The bundle's manifest: logical names of files and folders to hashed names, and the sprite's icons."""

    static_dir: Path
    files: Mapping[str, str]
    folders: Mapping[str, str]
    icons: frozenset[str]
    prefix: str = "/static/"

    @classmethod
    def load(cls, static_dir: Path = STATIC_DIR) -> Assets:
        """Read the manifest once; raises Unavailable when it, or a file that it lists, is missing."""
        try:
            manifest = json.loads((static_dir / "manifest.json").read_text(encoding="utf-8"))
            files = {str(name): str(hashed) for name, hashed in manifest["files"].items()}
            folders = {str(name): str(hashed) for name, hashed in manifest["folders"].items()}
            icons = frozenset(str(name) for name in manifest["icons"])
        except FileNotFoundError:
            raise _not_built("The front end is not built: its manifest is missing.") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _not_built("The front end's manifest cannot be read.") from error
        for hashed in (*files.values(), *folders.values()):
            if not (static_dir / hashed).exists():
                raise _not_built(f"The front end is not whole: {hashed} is missing.")
        return cls(static_dir, MappingProxyType(files), MappingProxyType(folders), icons)

    def url(self, name: str) -> str:
        """Return the address of a file (`app.css`) or folder (`pdfjs/`); raises PortalError for others."""
        hashed = self.folders.get(name) if name.endswith("/") else self.files.get(name)
        if hashed is None:
            raise PortalError(f"The bundle has no {name}.", mend="Add it to frontend/build.mjs.")
        return self.prefix + hashed

    def icon_url(self, name: str) -> str:
        """Return the address of an icon in the sprite; raises PortalError when the sprite lacks it."""
        if name not in self.icons:
            raise PortalError(
                f"The icon sprite has no {name}.", mend="Name it in frontend/icons.json and run `make setup`."
            )
        return f"{self.url('icons.svg')}#{name}"

    def holds(self, path: str) -> bool:
        """Say whether `path` (below the prefix) is a listed file of the bundle, or within a listed folder."""
        within = path.startswith(tuple(self.folders.values())) and ".." not in path.split("/")
        return within or path in self.files.values()


def install(app: Flask, assets: Assets, *, https: bool = False) -> None:
    """Register the route of the files and the Jinja globals `asset_url(name)` and `icon_url(name)`.

    The app is to be made with `static_folder=None`. Files go out compressed as the build compressed them.
    """

    def static(path: str) -> Response:
        if not assets.holds(path):
            raise NoSuchPage
        return _send(assets, path, https=https)

    app.add_url_rule(f"{assets.prefix}<path:path>", ENDPOINT, static, methods=["GET"])
    app.jinja_env.globals.update(asset_url=assets.url, icon_url=assets.icon_url)


def _not_built(what: str) -> Unavailable:
    return Unavailable(what, mend="Run `make setup`, which builds the front end, and start again.")


def _send(assets: Assets, path: str, *, https: bool) -> Response:
    sent, encoding = _variant(assets.static_dir, path)
    media_type = _MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")
    response = send_from_directory(assets.static_dir, sent, mimetype=media_type, etag=False)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    response.headers["Vary"] = "Accept-Encoding"
    response.headers.update(asset_headers(https=https))
    return response


def _variant(static_dir: Path, path: str) -> tuple[str, str]:
    """Return the name of the stored variant that this client takes, and its content coding ("" for none)."""
    for encoding, suffix in _ENCODINGS:
        if request.accept_encodings[encoding] > 0:
            name = safe_join(str(static_dir), path + suffix)
            if name is not None and Path(name).is_file():
                return path + suffix, encoding
    return path, ""
