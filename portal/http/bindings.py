"""The answer that hands out a binding: the label of a version in a signed file (STANAG 4778)."""

from __future__ import annotations

from flask import Response

from portal.http.content import disposition
from portal.http.security_headers import content_headers
from portal.services.actor import Actor
from portal.services.bindings import MEDIA_TYPE
from portal.services.runtime import Runtime

PEM_TYPE = "application/x-pem-file"


def binding_answer(runtime: Runtime, actor: Actor, document_id: str, number: int | None) -> Response:
    """Decide and record, then answer with the binding of a version (None: the current one)."""
    found = runtime.bindings.of(actor, document_id, number)
    return _file(
        runtime, found.name, found.content, MEDIA_TYPE, {"Strongroom-Log-Entry": str(found.log_entry)}
    )


def certificate_answer(runtime: Runtime) -> Response:
    """Answer with the certificates against which bindings are checked, the current one first; they are public."""
    return _file(runtime, "binding-certificate.pem", runtime.bindings.pem.encode(), PEM_TYPE, {})


def _file(runtime: Runtime, name: str, content: bytes, kind: str, more: dict[str, str]) -> Response:
    headers = {
        **content_headers(https=runtime.settings.secure),
        "Content-Disposition": disposition("attachment", name),
        **more,
    }
    return Response(content, headers=headers, content_type=kind)
