"""REST API v1: parse, call a service, answer."""

from flask import Blueprint

from portal.api import audit, description, documents, intake, tus

__all__ = ["make_blueprint"]


def make_blueprint() -> Blueprint:
    """Return the API's blueprint, to be registered under `/api/v1`."""
    blueprint = Blueprint("api", __name__)
    for module in (documents, intake, tus, audit, description):
        module.register(blueprint)
    return blueprint
