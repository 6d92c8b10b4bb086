"""Deny-by-default routing: a view is closed unless it says who may call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_login import current_user
from werkzeug.exceptions import NotFound as NoSuchPage

from policies.requests import Role
from portal.errors import NotPermitted, Unauthenticated

_View = TypeVar("_View", bound=Callable[..., Any])
_MARK = "__strongroom_door__"


@dataclass(frozen=True, slots=True)
class Door:
    """Who may call a view: anybody at all (`anyone`), or signed-in people, with one of `roles` where some are named.

    `own_csrf`: the view checks the token itself, because its body is a stream.
    """

    anyone: bool = False
    roles: frozenset[Role] = frozenset()
    own_csrf: bool = False


def open_to_anyone(view: _View) -> _View:
    """Declare a view open to people who are not signed in."""
    setattr(view, _MARK, Door(anyone=True))
    return view


def signed_in(*roles: Role, own_csrf: bool = False) -> Callable[[_View], _View]:
    """Declare a view open to signed-in people, with one of `roles` where some are named."""

    def declare(view: _View) -> _View:
        setattr(view, _MARK, Door(roles=frozenset(roles), own_csrf=own_csrf))
        return view

    return declare


def door_of(view: Callable[..., Any]) -> Door | None:
    """Return what a view declared, or None: then nobody may call it."""
    return getattr(view, _MARK, None)


def install(app: Flask) -> None:
    """Guard every request of `app`; views without a declared door answer as if they did not exist."""
    app.before_request(_guard)


def _guard() -> None:
    if request.endpoint is None:
        return
    door = door_of(current_app.view_functions[request.endpoint])
    if door is None:
        raise NoSuchPage
    if door.anyone:
        return
    if not current_user.is_authenticated:
        raise Unauthenticated("You are not signed in.", mend="Sign in, or send a token that is in force.")
    if door.roles and not door.roles & current_user.roles:
        raise NotPermitted("This page belongs to another role.", rules=("role-permits",))
