"""All pages together: blueprints, assets, the policy's colours, what every template may use."""

from __future__ import annotations

from flask import Flask

from portal.http.routing import open_to_anyone
from portal.services.runtime import Runtime
from portal.web import (
    about,
    account,
    administration,
    appearance,
    assets,
    audit,
    custody,
    deliveries,
    documents,
    frame,
    officer,
    policy,
    policy_css,
    quarantine,
    release_pages,
    rule_pages,
    sign_in,
    style,
    upload,
)

_BLUEPRINTS = (
    sign_in,
    about,
    appearance,
    account,
    deliveries,
    documents,
    upload,
    audit,
    officer,
    policy,
    rule_pages,
    release_pages,
    custody,
    quarantine,
    administration,
    style,
)


def install(app: Flask, runtime: Runtime) -> None:
    """Register pages, assets, the policy's colours, and what every template may use."""
    https = runtime.settings.secure
    assets.install(app, assets.Assets.load(), https=https)
    policy_css.install(
        app,
        lambda: [(item.lacv, item.color) for item in runtime.access.policy.classifications],
        https=https,
    )
    for endpoint in ("static", "policy_css"):
        open_to_anyone(app.view_functions[endpoint])
    frame.install(app, runtime)
    for module in _BLUEPRINTS:
        app.register_blueprint(module.make_blueprint())
