"""A small application that renders every macro as the portal will, with its headers, for a real browser to judge."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace as Thing

from flask import Flask, Response, abort, current_app, g, render_template, request
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.serving import make_server

from portal.http import security_headers
from portal.web import assets, frame, policy_css, style
from portal.web import style_data as data
from tests.portal.web.sample_files import pdf_of
from tests.shared import DOCUMENTS

ROOT = Path(__file__).parents[3]
TEMPLATES = [str(ROOT / "templates"), str(Path(__file__).parent / "sample_templates")]
PDF = DOCUMENTS / "testPDF.pdf"
LIMIT = 5_000_000


def make_app() -> Flask:
    """Return the sample application; what was uploaded to it is in `app.config["TAKEN"]`."""
    app = Flask("sample", static_folder=None)
    app.jinja_loader.searchpath[:] = TEMPLATES  # type: ignore[union-attr]
    app.config.update(SECRET_KEY="only for this sample", TAKEN=[], WTF_CSRF_CHECK_DEFAULT=False)
    CSRFProtect(app)
    assets.install(app, assets.Assets.load())
    frame.install_filters(app)
    policy_css.install(app, lambda: data.COLOURS)
    app.before_request(lambda: setattr(g, "nonce", security_headers.new_nonce()))
    app.after_request(_headers)
    app.context_processor(_context)
    app.add_url_rule("/", view_func=lambda: style.render_style("macros.html"), endpoint="home")
    app.add_url_rule("/page/<name>", view_func=_page, endpoint="page")
    app.add_url_rule("/content/<kind>", view_func=_content, endpoint="content")
    app.add_url_rule("/marking", view_func=_marking, methods=["POST"])
    app.add_url_rule("/fragment", view_func=_fragment, methods=["POST"])
    app.add_url_rule("/api/v1/documents", view_func=_take, methods=["POST"])
    app.add_url_rule("/api/v1/uploads", view_func=lambda: {"items": []}, endpoint="unfinished")
    app.add_url_rule("/send/token", endpoint="token", view_func=lambda: {"token": generate_csrf()})
    app.add_url_rule(
        "/account/form-token", endpoint="account.form_token", view_func=lambda: {"token": generate_csrf()}
    )
    app.add_url_rule("/send/arrived", endpoint="arrived", view_func=dict, methods=["POST"])
    return app


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve the application in a thread; yields its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _headers(response: Response) -> Response:
    if request.endpoint in ("content",):
        response.headers.update(security_headers.content_headers(https=False))
    elif response.mimetype == "text/html":
        wasm = request.path.startswith("/page/viewer")
        response.headers.update(security_headers.page_headers(g.nonce, https=False, wasm=wasm))
    return response


def _context() -> dict[str, object]:
    signed_in = request.path != "/page/sign_in"
    return {
        "csp_nonce": g.nonce,
        "viewer": data.VIEWER if signed_in else None,
        "navigation": data.NAVIGATION,
        "page_marking": Thing(text="NATO RESTRICTED RELEASABLE TO AUS, JPN", lacv=2),
        "demonstration": True,
        "settings_size_limit": LIMIT,
        "search_url": "/search",
        "account_url": "/account",
        "sign_out_url": "/sign-out",
        "theme": request.args.get("theme", ""),
        "languages": data.LANGUAGES,
        "foot_links": [Thing(label="Accessibility", url="/a"), Thing(label="Help", url="/help")],
        "d": data,
    }


def _page(name: str) -> str:
    if not re.fullmatch("[a-z_]+", name):
        abort(404)
    return render_template(
        f"{name}.html",
        form=style.SampleForm(meta={"csrf": False}),
        pdf_size=PDF.stat().st_size,
        long_size=len(_long_pdf()),
        kind=request.args.get("kind", "pdf"),
    )


def _content(kind: str) -> Response:
    if kind == "refused":
        said = {"title": "You cannot open this document today.", "detail": "Your clearance ended."}
        return Response(json.dumps(said), 403, mimetype="application/problem+json")
    bytes_of = {
        "pdf": PDF.read_bytes,
        "text": lambda: "Grüße aus Brüssel\n".encode() * 2000,
        "long": _long_pdf,
    }
    response = Response(bytes_of[kind](), mimetype="application/octet-stream")
    return response.make_conditional(request, accept_ranges=True, complete_length=len(response.data))


def _long_pdf() -> bytes:
    # Padding before the cross-reference makes the file long enough for ranges without changing what it shows.
    return pdf_of(3, padding=3_000_000)


def _marking() -> Response:
    assert request.headers["X-CSRFToken"]
    chosen = request.form["classification"]
    to = request.form.getlist("Releasable To")
    problems = ["Nothing unclassified is releasable."] if chosen == "UNCLASSIFIED" and to else []
    marking = f"NATO {chosen}" + (f" RELEASABLE TO {', '.join(to)}" if to else "")
    answer = {"marking": marking, "lacv": {"UNCLASSIFIED": 1, "RESTRICTED": 2}[chosen], "problems": problems}
    return Response(json.dumps(answer), mimetype="application/json")


def _fragment() -> str:
    assert request.headers["X-CSRFToken"]
    return render_template("fragment.html")


def _take() -> Response:
    content = request.get_data()
    if b"macro" in content:
        said = {"title": "it contains macros.", "detail": "", "mend": "Save it as .docx and add it again."}
        return Response(json.dumps(said), 422, mimetype="application/problem+json")
    taken = current_app.config["TAKEN"]
    taken.append(Thing(content=content, headers=dict(request.headers), query=request.args.to_dict()))
    answer = {
        "id": f"d{len(taken)}",
        "version": 1,
        "size": len(content),
        "log_entry": 12_000_000 + len(taken),
    }
    return Response(json.dumps(answer), 201, mimetype="application/json")
