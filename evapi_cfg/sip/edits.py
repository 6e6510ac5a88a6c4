"""Changes that a script asks for in a message's text, put into it: Kamailio's lumps.

An edit is an offset, a length and the text that stands there instead. Edits are made in the order of their offsets,
those at one place in the order in which they came. Where one reaches into what another has taken away, the rest of it
is taken away and its text stands behind the other's. Rules: core/msg_translator.c: lumps_len, process_lumps,
adjust_clen, check_boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from evapi_cfg.sip.headers import Header
from evapi_cfg.sip.uri import split_quoted

Edit: TypeAlias = tuple[int, int, str]


def edited(text: str, edits: Sequence[Edit], start: int = 0) -> str:
    """What the text from `start` on becomes."""
    parts: list[str] = []
    done = start
    for at, length, new in sorted(edits, key=lambda edit: edit[0]):
        if at > done:
            parts.append(text[done:at])
        parts.append(new)
        done = max(done, at + length)
    parts.append(text[done:])
    return "".join(parts)


def updated(text: str, edits: Sequence[Edit], body_at: int, content_length: Header | None, boundary: str | None) -> str:
    """The text with all changes made. Where the body grows or shrinks, Content-Length follows. `boundary`: the body was
    put together from parts, and the lines between them are to be set right."""
    head = [edit for edit in edits if edit[0] < body_at]
    body = edited(text, [edit for edit in edits if edit[0] >= body_at], body_at)
    if boundary:
        body = with_boundaries(body, boundary)
    growth = len(body) - (len(text) - body_at)
    if growth and content_length is not None:
        head.append((content_length.body_at, len(content_length.body), str(len(body))))
    reach = max((at + length for at, length, _ in head), default=0) - body_at
    return edited(text[:body_at], head) + body[max(reach, 0) :]


# ---- bodies of several parts --------------------------------------------------------------------------------------


def boundary_of(content_type: str | None) -> str | None:
    """The line that stands between parts, with its two dashes (get_boundary): empty where Content-Type has parameters
    but no boundary, None where it has no parameters at all."""
    _, semicolon, params = (content_type or "").partition(";")
    if not semicolon:
        return None
    for param in split_quoted(params, ";"):
        name, _, value = param.partition("=")
        if name.strip().lower() == "boundary":
            return "--" + value.strip().strip('"')
    return ""


def line_starts(text: str, at: int = 0) -> Iterator[int]:
    """`at`, and where a line begins behind each CR LF from there on, up to a CR that no LF follows."""
    yield at
    while (end := text.find("\r", at)) >= 0 and text.startswith("\n", end + 1):
        at = end + 2
        yield at


def line_end(text: str, at: int) -> int | None:
    """The offset behind the CR LF of the line at `at`, or of the text's end; None where no LF follows the CR."""
    end = text.find("\r", at)
    if end < 0:
        return len(text)
    return end + 2 if text.startswith("\n", end + 1) else None


def with_boundaries(body: str, boundary: str) -> str:
    """The body with plain boundaries between its parts and a closing one behind the last; without them, as it is."""
    starts: list[int] = []
    at = 0
    while (
        found := next((start for start in line_starts(body, at) if body.startswith(boundary, start)), None)
    ) is not None:
        starts.append(found)
        at = found + len(boundary)
    if len(starts) < 2:
        return body
    parts: list[str] = []
    for start, next_start in pairwise(starts):
        parts += (boundary, "\r\n", body[line_end(body, start) or start : next_start])
    last = starts[-1]
    closing = f"{boundary}--\r\n"
    parts.append(body[last:] if body.startswith(closing, last) else closing)
    return "".join(parts)
