"""What the tests of pages share."""

from apps import standin
from browser import chromium, page, serve

__all__ = ["chromium", "page", "serve", "standin"]
