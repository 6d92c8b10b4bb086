"""The administrator's pages on keys: the inventory, rotations with their progress, destroying, sealing."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.errors import NotFound, PortalError
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.keys import Inventory, KeyView
from portal.services.rotations import ROOT, RotationView
from portal.web.forms import FORM_ERRORS, refused
from portal.web.words import moment

KIND_WORDS = {
    ROOT: "Root key",
    "kek": "Documents",
    "column": "Names and titles",
    "row": "Seals of rows",
    "pack": "Title search",
    "salt": "Salts",
    "cursor": "Pages of lists",
    "session": "Session cookies",
    "index": "E-mail look-up",
    "binding": "Label bindings",
    "log-signing": "Log checkpoints",
    "receipt-signing": "Receipts and certificates",
}
PROVIDER_WORDS = {"file": "a key file", "pkcs11": "a PKCS#11 token", "transit": "a key server (Transit)"}
_MOST = 300
STATE_WORDS = {
    "active": ("circle-check", "In use", "good"),
    "superseded": ("clock", "Opens older things", ""),
    "retired": ("circle-dashed", "Nothing under it", "muted"),
    "destroyed": ("trash", "Destroyed", "muted"),
}
STAGE_WORDS = {
    "making": "A new version is being made",
    "rewrapping": "Wrapping anew",
    "waiting": "Waiting until no node can use the older version",
    "checking": "Looking once more",
    "manifests": "Writing manifests",
    "retiring": "Retiring the older version",
    "done": "Done",
}


def add_routes(blueprint: Blueprint) -> None:
    """Add these pages to the administrator's."""
    add = blueprint.add_url_rule
    add("/keys", "keys", keys, methods=["GET"])
    add("/keys/seal", "seal_form", seal_form, methods=["GET"])
    add("/keys/seal", "seal", seal, methods=["POST"])
    add("/keys/<key_id>/rotate", "rotate_form", rotate_form, methods=["GET"])
    add("/keys/<key_id>/rotate", "rotate", rotate, methods=["POST"])
    add("/keys/<key_id>/destroy", "destroy_form", destroy_form, methods=["GET"])
    add("/keys/<key_id>/destroy", "destroy", destroy, methods=["POST"])


@signed_in(Role.ADMINISTRATOR)
def keys() -> ResponseReturnValue:
    """Show every key, its age and next rotation, and rotations with their progress."""
    return _page()


@signed_in(Role.ADMINISTRATOR)
def rotate_form(key_id: str) -> ResponseReturnValue:
    """Ask whether a key shall be rotated."""
    return render_template("administration/rotate_key.html", **_named(key_id))


@signed_in(Role.ADMINISTRATOR)
def rotate(key_id: str) -> ResponseReturnValue:
    """Order the rotation of a key."""
    kind, domain = ROOT, ""
    if key_id != ROOT:
        key = _key(_inventory(), key_id)
        kind, domain = key.kind, key.domain
    try:
        runtime().keys.rotate(current_actor(), kind, domain)
    except FORM_ERRORS as error:
        return _page(error)
    flash("The rotation is ordered. It begins within seconds; everything stays open meanwhile.", "good")
    return redirect(url_for("administration.keys"), 303)


@signed_in(Role.ADMINISTRATOR)
def destroy_form(key_id: str) -> ResponseReturnValue:
    """Ask whether a retired key shall be destroyed."""
    return render_template("administration/destroy_key.html", **_named(key_id))


@signed_in(Role.ADMINISTRATOR)
def destroy(key_id: str) -> ResponseReturnValue:
    """Destroy a retired key; the answer is the signed certificate."""
    try:
        certificate = runtime().keys.destroy(current_actor(), key_id)
    except FORM_ERRORS as error:
        return _page(error)
    answer = Response(certificate, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="certificate-{key_id}.txt"'
    return answer


@signed_in(Role.ADMINISTRATOR)
def seal_form() -> ResponseReturnValue:
    """Ask whether the keys shall be sealed."""
    return render_template("administration/seal_keys.html", protected=_inventory().protected)


@signed_in(Role.ADMINISTRATOR)
def seal() -> ResponseReturnValue:
    """Seal the keys on every node: after this answer nobody gets in."""
    try:
        runtime().keys.seal(current_actor())
    except FORM_ERRORS as error:
        return _page(error)
    return Response(
        "The keys are sealed. Unseal them on the machine: strongroom keys unseal\n", mimetype="text/plain"
    )


def _inventory() -> Inventory:
    return runtime().keys.inventory(current_actor())


def _key(found: Inventory, key_id: str) -> KeyView:
    for key in found.keys:
        if key.id == key_id:
            return key
    raise NotFound("There is no such key.")


def _named(key_id: str) -> dict[str, object]:
    if key_id == ROOT:
        return {"key_id": ROOT, "name": KIND_WORDS[ROOT], "kind": ROOT}
    key = _key(_inventory(), key_id)
    return {"key_id": key.id, "name": _name(key), "kind": key.kind}


def _name(key: KeyView) -> str:
    words = KIND_WORDS.get(key.kind, key.kind)
    return f"{key.classification}, {key.programme}" if key.kind == "kek" else words


def _page(error: PortalError | None = None) -> ResponseReturnValue:
    said, status = refused(error) if error else ("", 200)
    found = _inventory()
    busy = {(one.kind, one.domain) for one in found.rotations if one.state != "done"}
    now = runtime().clock()
    rows = [
        {
            "id": key.id,
            "name": _name(key),
            "version": key.version,
            "state": STATE_WORDS.get(key.state, ("circle-dashed", key.state, "")),
            "retired": key.state == "retired",
            "created": moment(key.created),
            "documents": key.documents if key.kind == "kek" else None,
            "due": moment(key.due) if key.due else None,
            "late": key.due is not None and key.due < now,
            "newest": key.newest,
            "busy": key.newest and (key.kind, key.domain) in busy,
        }
        for key in found.keys[:_MOST]
    ]
    page = render_template(
        "administration/keys.html",
        rows=rows,
        rotations=[_rotation(one, found) for one in found.rotations],
        provider=PROVIDER_WORDS[found.provider],
        root_id=found.root_id,
        root_busy=(ROOT, "") in busy,
        protected=found.protected,
        more=max(0, len(found.keys) - _MOST),
        error=said,
    )
    return page, status


def _rotation(one: RotationView, found: Inventory) -> dict[str, object]:
    named = next((_name(key) for key in found.keys if (key.kind, key.domain) == (one.kind, one.domain)), "")
    return {
        "name": named or KIND_WORDS.get(one.kind, one.kind),
        "stage": STAGE_WORDS.get(one.state, one.state),
        "over": one.state == "done",
        "done": one.done,
        "total": max(one.total, one.done),
        "failed": one.failed,
        "started": moment(one.started),
        "finished": moment(one.finished) if one.finished else None,
    }
