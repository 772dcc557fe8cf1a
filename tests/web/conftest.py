"""What the tests of pages share."""

from apps import blank, provider, running, shared, standin
from browser import chromium, page, serve, window

__all__ = ["blank", "chromium", "page", "provider", "running", "serve", "shared", "standin", "window"]
