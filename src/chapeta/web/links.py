"""Which addresses of untrusted text may become links and pictures, and how a picture waits for a click."""

from __future__ import annotations

import html
import re

# A plain host: nothing before an @, no backslash, no space or control character in any place, so that what Python and
# what a browser take for the host is the same. markdown-it has decoded entities and written other alphabets as punycode.
WEB = re.compile(r"https?://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?#][!-\[\]-~]*)?", re.I)
MAIL = re.compile(r"mailto:[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9.-]+(?:\?[!-\[\]-~]*)?", re.I | re.A)
LOCAL = re.compile(r"(?:/(?!/)|#)[\w/#?=&.-]*", re.A)
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[a-z0-9+/]+={0,2}", re.I)
MAX_ADDRESS = 2_000
MAX_PICTURE = 100_000  # characters of a data: address


def is_link(address: str, local: bool = False) -> bool:
    """Whether an address may be followed by a click. `local`: pages of the app too, for our own texts."""
    if len(address) > MAX_ADDRESS:
        return False
    return bool(WEB.fullmatch(address) or MAIL.fullmatch(address) or (local and LOCAL.fullmatch(address)))


def is_picture(address: str) -> bool:
    """Whether an address holds a picture in itself, so that showing it loads nothing."""
    return len(address) <= MAX_PICTURE and bool(PICTURE.fullmatch(address))


def picture(address: str, alt: str) -> str:
    """HTML of a picture: at once if it is in its address, behind a button if it is on the web, else its description."""
    shown = html.escape(alt)
    if is_picture(address):
        return f'<img src="{html.escape(address)}" alt="{shown}">'
    found = WEB.fullmatch(address) if len(address) <= MAX_ADDRESS else None
    if found is None:
        return f'<span class="picture">{shown}</span>'
    about = f": {shown}" if shown else ""
    return (
        f'<button type="button" class="picture" data-src="{html.escape(address)}" data-alt="{shown}">'
        f"Load picture from {html.escape(found[1])}{about}</button>"
    )
