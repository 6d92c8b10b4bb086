"""Slots for transfers: a thread is held for as long as a client takes, and pages must keep some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, current_app
from flask_login import current_user

from portal.http.transfer import TransferSlots
from portal.settings import Settings

_KEY = "strongroom-slots"
_P = ParamSpec("_P")
_T = TypeVar("_T")


def install(app: Flask, settings: Settings) -> None:
    """Bound the transfers of `app`, in all and for each person."""
    app.extensions[_KEY] = TransferSlots(settings.transfers, settings.transfers_each)


def slots() -> TransferSlots:
    """Return this application's slots."""
    found: TransferSlots = current_app.extensions[_KEY]
    return found


def in_slot(view: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let an upload's view hold a slot for as long as it runs; raises TooMany before anything is read or recorded."""

    @wraps(view)
    def held(*values: _P.args, **named: _P.kwargs) -> _T:
        with slots().held(current_user.get_id()):
            return view(*values, **named)

    return held


class SlottedBody:
    """A WSGI body that holds a slot until the server closes it, also when the client went away."""

    def __init__(
        self, pieces: Iterator[bytes], close: Callable[[], None], held: TransferSlots, who: str
    ) -> None:
        self._pieces = pieces
        self._close = close
        self._slots = held
        self._who: str | None = who

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """End the transfer and give the slot back, once."""
        who, self._who = self._who, None
        if who is not None:
            try:
                self._close()
            finally:
                self._slots.give_back(who)
