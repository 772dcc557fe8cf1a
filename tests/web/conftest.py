"""What the tests of pages share."""

from apps import provider, running, shared, standin
from browser import chromium, page, serve

__all__ = ["chromium", "page", "provider", "running", "serve", "shared", "standin"]
