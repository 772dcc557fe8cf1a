"""What the tests of pages share."""

from browser import chromium, page, serve

__all__ = ["chromium", "page", "serve"]
