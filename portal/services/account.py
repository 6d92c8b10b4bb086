"""One's own account: signing in and out, sessions, tokens, one-time links; and who a request comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.requests import Role
from portal.audit import AuditLog, Event
from portal.clock import Clock
from portal.identity.credentials import Credentials
from portal.identity.links import LinkInfo, Links
from portal.identity.sessions import SessionInfo, Sessions
from portal.identity.sign_in import SignIn
from portal.identity.tokens import TokenInfo, Tokens
from portal.models.database import Database
from portal.services.actor import Actor
from portal.settings import Settings


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Identified:
    """A person behind a request: `session` names their session or token, `roles` what they can act as now.

    `held` are all of their roles in force, of which the session's `role` (None: all) may be one.
    """

    person_id: str
    organisation_id: str
    assurance: int
    session: str
    role: Role | None
    roles: frozenset[Role]
    held: frozenset[Role]
    name: str
    organisation: str


class Account:
    """What people do with their own account."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        clock: Clock,
        settings: Settings,
        sign_in: SignIn,
        sessions: Sessions,
        tokens: Tokens,
        links: Links,
        credentials: Credentials,
    ) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._settings = settings
        self._sign_in = sign_in
        self._sessions = sessions
        self._tokens = tokens
        self._links = links
        self._credentials = credentials

    def sign_in(self, email: str, password: str, code: str, address: str, request: str) -> str:
        """Check credentials and return the secret of a new session; raises Unauthenticated, recorded."""
        secret, _ = self._sign_in.sign_in(email, password, code, address, request)
        return secret

    def sign_out(self, actor: Actor) -> None:
        """End the session that this request came in."""
        self._sessions.end(actor.session, actor)

    def by_session(
        self,
        secret: str,
        request: str | None = None,
        address: str | None = None,
        before_record: Callable[[], None] = _nothing,
    ) -> Identified | None:
        """Return whose session this secret opens, or None, which is recorded: it ended, or its row is gone.

        `before_record` may raise, so that refusals beyond a limit are kept out of the log.
        """
        found = self._sessions.find(secret)
        if found is None:
            before_record()
            self._refused("session.refused", "no-such-session", request, address)
            return None
        return self._identified(found, found.role)

    def by_token(
        self, secret: str, request: str, address: str, before_record: Callable[[], None] = _nothing
    ) -> Identified | None:
        """Return whose API token this is, or None, which is recorded; `before_record` as for `by_session`."""
        found = self._tokens.find(secret)
        if found is None:
            before_record()
            self._refused("token.refused", "no-such-token", request, address)
            return None
        return self._identified(found, None)

    def _refused(self, action: str, problem: str, request: str | None, address: str | None) -> None:
        self._log.append(
            Event(
                action=action,
                decision="deny",
                request=request,
                details={"problem": problem},
                private={"address": address} if address else None,
            )
        )

    def _identified(self, found: SessionInfo | TokenInfo, role: str | None) -> Identified:
        holder = found.holder
        if holder is None:
            raise ValueError("an identification comes from the query that finds the session or token")
        held = frozenset(Role(name) for name in holder.roles)
        return Identified(
            person_id=found.person_id,
            organisation_id=found.organisation_id,
            assurance=found.assurance,
            session=found.id,
            role=Role(role) if role else None,
            roles=held & {Role(role)} if role else held,
            held=held,
            name=holder.name,
            organisation=holder.organisation,
        )

    def act_as(self, actor: Actor, role: Role | None) -> None:
        """Act in one of one's roles (None: in all of them) from the next request on; raises Conflict for another."""
        self._sessions.act_as(actor.session, role.value if role else None, actor)

    def last_visit(self, actor: Actor) -> datetime | None:
        """Return when the person was here before this session began, or None: it is the first, or a token."""
        return self._sessions.before(actor.session, actor.person_id)

    def sessions(self, actor: Actor) -> Sequence[SessionInfo]:
        """Return one's own sessions that are in force."""
        return self._sessions.list(actor.person_id)

    def end_session(self, actor: Actor, session_id: str) -> None:
        """End one of one's own sessions; one that is not one's own is as good as absent."""
        if any(item.id == session_id for item in self._sessions.list(actor.person_id)):
            self._sessions.end(session_id, actor, cause="revoked")

    def end_other_sessions(self, actor: Actor) -> int:
        """End all of one's own sessions but the one that this request came in; return how many those were."""
        return self._sessions.end_all(actor.person_id, actor, keep=actor.session)

    def change_password(self, actor: Actor, current: str, new: str) -> int:
        """Set another password for oneself and end one's other sessions; return how many those were.

        Raises Invalid when `current` is not the password, or `new` is not taken; API tokens hold on.
        """
        self._credentials.change_password(current, new, actor)
        return self.end_other_sessions(actor)

    def tokens(self, actor: Actor) -> Sequence[TokenInfo]:
        """Return one's own tokens."""
        return self._tokens.list(actor.person_id)

    def create_token(self, actor: Actor, name: str, days: int) -> str:
        """Create a token worth at most this session and return its secret, shown once."""
        secret, _ = self._tokens.create(
            actor.person_id, name, days, actor.assurance, self._settings.token_ceiling, by=actor
        )
        return secret

    def revoke_token(self, actor: Actor, token_id: str) -> None:
        """Revoke one of one's own tokens; raises NotFound for any other."""
        self._tokens.revoke(token_id, actor, owner=actor.person_id)

    def look_at_link(self, secret: str) -> LinkInfo:
        """Return for whom a one-time link is; raises NotFound when it does not hold."""
        return self._links.look(secret)

    def redeem_link(
        self, secret: str, password: str, totp_secret: str, code: str, address: str, request: str
    ) -> LinkInfo:
        """Set password and second factor with a one-time link; raises Invalid, NotFound."""
        return self._links.redeem(secret, password, totp_secret, code, request=request, address=address)
