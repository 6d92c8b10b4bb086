"""Who is there: passwords and second factors, sign-in, sessions, one-time links, API tokens."""

from portal.identity.acting import Acting
from portal.identity.emails import email_index, normal_email
from portal.identity.links import LinkInfo, Links
from portal.identity.passwords import PasswordHasher, check_password
from portal.identity.sessions import SessionInfo, SessionLimits, Sessions
from portal.identity.sign_in import SignIn
from portal.identity.tokens import TokenInfo, Tokens

__all__ = [
    "Acting",
    "LinkInfo",
    "Links",
    "PasswordHasher",
    "SessionInfo",
    "SessionLimits",
    "Sessions",
    "SignIn",
    "TokenInfo",
    "Tokens",
    "check_password",
    "email_index",
    "normal_email",
]
