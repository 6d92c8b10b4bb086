"""Who is asking: a browser's session or a script's token, turned into an Actor."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Request, g, request, session
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user

from policies.requests import Role
from portal.errors import Unauthenticated
from portal.http.content import runtime
from portal.http.limits import count_refused
from portal.services.account import Identified
from portal.services.actor import Actor

SESSION_KEY = "sid"
_FAILED = "strongroom_unidentified"


@dataclass(frozen=True)
class SignedIn(UserMixin):  # type: ignore[misc]
    """A signed-in person as Flask-Login knows them."""

    identified: Identified
    actor: Actor
    by_token: bool

    def get_id(self) -> str:
        """Return the person's id."""
        return self.actor.person_id

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that they can act in now: the one chosen for the session, or all with a token."""
        return self.identified.roles


class Nobody(AnonymousUserMixin):  # type: ignore[misc]
    """Somebody who is not signed in."""

    roles: frozenset[Role] = frozenset()


def install(app: Flask) -> None:
    """Let Flask-Login identify requests by session or token."""
    manager = LoginManager()
    manager.anonymous_user = Nobody
    manager.session_protection = None
    manager.init_app(app)
    manager.request_loader(_load)


def request_id() -> str:
    """Return this request's id."""
    found: str = g.request_id
    return found


def _load(asked: Request) -> SignedIn | None:
    """Identify a request; what goes wrong is raised once, and whoever asks again (an error's page) finds nobody."""
    if g.get(_FAILED):
        return None
    try:
        return _identify(asked)
    except BaseException:
        setattr(g, _FAILED, True)
        raise


def _identify(asked: Request) -> SignedIn | None:
    # Pages take a browser's session only: a token must not make further tokens, nor act without the form's token.
    header = asked.headers.get("Authorization", "") if asked.path.startswith("/api/") else ""
    accounts = runtime().account
    if header:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        identified = accounts.by_token(secret.strip(), request_id(), _address(), _count_refused)
        by_token = True
    else:
        secret = session.get(SESSION_KEY, "")
        identified = accounts.by_session(secret, request_id(), _address(), _count_refused) if secret else None
        by_token = False
        if identified is None:
            session.pop(SESSION_KEY, None)
    if identified is None:
        return None
    actor = Actor(
        person_id=identified.person_id,
        organisation_id=identified.organisation_id,
        assurance=identified.assurance,
        session=identified.session,
        role=identified.role,
        request=request_id(),
        address=_address(),
    )
    return SignedIn(identified, actor, by_token)


def _count_refused() -> None:
    count_refused(_address(), runtime().settings.requests_per_minute)


def _address() -> str:
    return request.remote_addr or "unknown"


def current_actor() -> Actor:
    """Return who is asking; raises Unauthenticated when nobody is signed in."""
    if not current_user.is_authenticated:
        raise Unauthenticated("You are not signed in.", mend="Sign in, or send a token that is in force.")
    found: Actor = current_user.actor
    return found


def address() -> str:
    """Return the address that the request came from."""
    return _address()
