"""The WSGI entry point, for a server of one's own choice; `strongroom serve` is the portal's own."""

from portal.cli.serving import hosted_application

application = hosted_application()
