"""The API's tests run against a whole installation."""

from tests.portal.worlds import world

__all__ = ["world"]
