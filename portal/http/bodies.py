"""Forms with files, opened as streams."""

from __future__ import annotations

from typing import cast

from flask import request
from flask_login import current_user

from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.csrf import FIELD, HEADER, check_token
from portal.http.multipart import FilePart, MultipartReader
from portal.http.request import PortalRequest

_FORM_OVERHEAD = 2 * 1024 * 1024
_MEND_FORM = "Send the fields first, then the file, as multipart/form-data."


def open_form() -> tuple[MultipartReader, FilePart]:
    """Return the streamed form and its first file; checks the token of a browser's session before the file is read.

    Raises Invalid when the form has no file, or the token does not hold.
    """
    form = cast(PortalRequest, request).multipart(runtime().deposit.size_limit + _FORM_OVERHEAD)
    file = form.next_file()
    if not current_user.by_token and HEADER not in request.headers:
        check_token(form.field(FIELD))
    if file is None:
        raise Invalid("The form carries no file.", mend=_MEND_FORM)
    return form, file
