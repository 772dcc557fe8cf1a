"""Images as far as a request needs them: which format, how large, about how many tokens. Reads headers only."""

from __future__ import annotations

import math
import struct

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")  # what every provider that takes images takes
IMAGE_TOKENS = 1000  # of an image whose size is not known; about a million pixels
MOST_MARKERS = 10_000  # of a JPEG, before the one that tells its size
MOST_IMAGE_TOKENS = 1600
CELL_PIXELS = 28  # providers count cells of 28 to 32 pixels, or tiles that come to about as much

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that are followed by the size
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


def image_type(data: bytes) -> str:
    """The media type by the first bytes, one of IMAGE_TYPES; "" for anything else, whatever its name says."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None where the header does not say."""
    try:
        match image_type(data):
            case "image/png":
                return struct.unpack_from(">II", data, 16)
            case "image/gif":
                return struct.unpack_from("<HH", data, 6)
            case "image/jpeg":
                return _jpeg(data)
            case "image/webp":
                return _webp(data)
    except (struct.error, IndexError):  # cut short
        pass
    return None


def image_tokens(data: bytes) -> int:
    """About how many tokens an image takes. Providers differ by half; for large ones they scale it down first."""
    size = image_size(data)
    if size is None or not all(size):
        return IMAGE_TOKENS
    return min(MOST_IMAGE_TOKENS, math.ceil(size[0] / CELL_PIXELS) * math.ceil(size[1] / CELL_PIXELS))


def _jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    for _ in range(MOST_MARKERS):
        if place >= len(data):
            return None
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if marker == 0xFF:
            place += 1
        elif marker in _JPEG_ALONE:
            place += 2
        else:
            place += 2 + max(2, struct.unpack_from(">H", data, place + 2)[0])
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None
