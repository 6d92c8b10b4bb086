"""A portal elsewhere, spoken to over its API: what `push`, `list` and `pull` have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from portal.errors import Invalid, NotFound, PortalError, Unavailable

_CONNECT_SECONDS = 15
_SILENT_SECONDS = 120
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(PortalError):
    """The portal refused a request; `status` is its HTTP status."""

    def __init__(self, message: str, *, mend: str = "", status: int) -> None:
        super().__init__(message, mend=mend)
        self.status = status


class _Bearer(requests.auth.AuthBase):
    """Sends the token, and nothing that a .netrc file holds instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Remote:
    """The API of one portal, as the person whose token is given."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(
                f"{url!r} is no address of a portal.", mend="Write it as https://portal.mod.example."
            )
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise Invalid(
                f"{url} would send your token and documents unprotected.",
                mend="Use the portal's https address.",
            )
        if not (token.isascii() and token.strip().isprintable() and token.strip()):
            raise Invalid("The token is not one.", mend="Copy it again, whole.")
        self._base = url.rstrip("/") + "/api/v1"
        self._session = requests.Session()
        self._session.auth = _Bearer(token.strip())
        self._session.headers["User-Agent"] = "strongroom"

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        json: Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request; raises Refused with the portal's own words, Unavailable when it cannot be reached."""
        try:
            answer = self._session.request(
                method,
                self._base + path,
                params=params,
                headers=headers,
                data=body,
                json=json,
                stream=stream,
                timeout=(_CONNECT_SECONDS, _SILENT_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as fault:
            raise unreachable(fault) from None
        if answer.status_code >= 300:
            with answer:
                raise _refusal(answer)
        return answer

    def json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Send one request and return the JSON object that it is answered with."""
        with self.ask(method, path, **more) as answer:
            try:
                found = answer.json()
            except requests.RequestException:
                found = None
        if not isinstance(found, dict):
            raise Unavailable(
                f"{self._base} did not answer as a Strongroom portal does.", mend="Check the address."
            )
        return found

    def items(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        wanted = dict(params)
        while True:
            page = self.json("GET", path, params=wanted)
            yield from page["items"]
            if page["next"] is None:
                return
            wanted["cursor"] = page["next"]

    def programme(self, named: str) -> str:
        """Return the id of a programme named by id or by name; raises NotFound with the names that there are."""
        found = list(self.items("/programmes", {}))
        for item in found:
            if named == item["id"] or named.casefold() == str(item["name"]).casefold():
                return str(item["id"])
        names = ", ".join(str(item["name"]) for item in found) or "none"
        raise NotFound(
            f"There is no programme {named!r}, or it is not open to you.", mend=f"Open to you: {names}."
        )


def unreachable(fault: requests.RequestException) -> Unavailable:
    """Return what a person is told of a connection that failed."""
    match fault:
        case requests.exceptions.SSLError():
            return Unavailable(
                "The portal's certificate does not hold.",
                mend="Check the address; REQUESTS_CA_BUNDLE names your own CA.",
            )
        case requests.exceptions.Timeout():
            return Unavailable("The portal did not answer in time.", mend="Try again later.")
        case _:
            return Unavailable(
                "The portal cannot be reached, or cut the connection.", mend="Check the address, try again."
            )


def _refusal(answer: requests.Response) -> Refused:
    try:
        problem = answer.json()
    except requests.RequestException:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    message = problem.get("detail") or f"The portal answered {answer.status_code}."
    return Refused(str(message), mend=str(problem.get("mend", "")), status=answer.status_code)
