"""Journeys: a real browser against the running demonstration; no page may report an error or a breach of its policy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from portal.identity import totp

# What must come to pass does, sooner or later: a busy machine is no fault of the page.
expect.set_options(timeout=20_000)


LOOKS = (
    pytest.param(1440, "light", id="1440-light"),
    pytest.param(390, "dark", id="390-dark", marks=pytest.mark.thorough),
)
"""Width and theme of a journey: at a desk in `make pages`, on a phone too in `make journeys`."""


class Visits:
    """Signed-in browser contexts by role; each person signs in once, since a code is accepted once."""

    def __init__(self, browser: Browser, demo: Any) -> None:
        self._browser = browser
        self.demo = demo
        self._states: dict[str, Any] = {}
        self._errors: dict[Page, list[str]] = {}

    @contextmanager
    def page(self, role: str | None, allowed: str = "$^", **options: Any) -> Iterator[Page]:
        """Open a page, signed in as `role`; at the end it may have reported only errors that `allowed` matches."""
        state = self._state(role) if role else None
        context = self._browser.new_context(storage_state=state, **options)
        errors: list[str] = []
        page = watched(context, errors)
        self._errors[page] = errors
        try:
            yield page
        finally:
            context.close()
        assert [error for error in errors if not re.search(allowed, error)] == []

    @contextmanager
    def failing(self, page: Page, status: int) -> Iterator[None]:
        """Expect that a page answers with this status meanwhile, which the browser calls an error."""
        yield
        errors = self._errors[page]
        errors[:] = [text for text in errors if f"status of {status}" not in text]

    def _state(self, role: str) -> Any:
        if role not in self._states:
            context = self._browser.new_context()
            errors: list[str] = []
            page = watched(context, errors)
            sign_in(page, self.demo, role)
            self._states[role] = context.storage_state()
            context.close()
            assert errors == []
        return self._states[role]


def watched(context: BrowserContext, errors: list[str]) -> Page:
    """Return a new page whose errors and CSP reports are gathered."""

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            errors.append(message.text)

    page = context.new_page()
    page.on("console", hear)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page


_USED: dict[str, int] = {}
"""The step of the last code of each secret: a code is accepted once, and none that is older than the last."""


def fresh_code(person: Mapping[str, str]) -> str:
    """Return a code that was not used yet: the present one, or the next one early; waits when that is used as well."""
    secret = person["totp_secret"]
    step = max(totp.step_at(datetime.now(UTC)), _USED.get(secret, 0) + 1)
    while step > totp.step_at(datetime.now(UTC)) + 1:
        time.sleep(0.5)
    _USED[secret] = step
    return totp.code_at(secret, datetime.fromtimestamp(0, UTC) + timedelta(seconds=step * totp.STEP))


def sign_in(page: Page, demo: Any, role: str) -> None:
    """Sign in with password and code."""
    person = demo.people[role]
    page.goto(f"{demo.url}/sign-in")
    page.fill("#email", person["email"])
    page.fill("#password", person["password"])
    page.fill("#code", fresh_code(person))
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)


@pytest.fixture(scope="session")
def visits(browser: Browser, demo: Any) -> Visits:
    """Signed-in visits to the demonstration."""
    return Visits(browser, demo)
