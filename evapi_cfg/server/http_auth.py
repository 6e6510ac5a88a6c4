"""Credentials for HTTP servers: what goes into Authorization (RFC 7616, RFC 7617)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Final

BASIC: Final = 1  # CURLAUTH_BASIC
DIGEST: Final = 2  # CURLAUTH_DIGEST
_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))')
_HASHES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode("latin-1")).decode("ascii")


def answer_to(
    challenges: Iterable[str], methods: int, username: str, password: str, method: str, target: str
) -> str | None:
    """What answers the best of a server's challenges that `methods` takes: Digest, then Basic. None where none does."""
    schemes = [challenge.strip().partition(" ") for challenge in challenges]
    if methods & DIGEST:
        for scheme, _, rest in schemes:
            made = _digest(rest, username, password, method, target) if scheme.lower() == "digest" else None
            if made is not None:
                return made
    if methods & BASIC and any(scheme.lower() == "basic" for scheme, _, _ in schemes):
        return basic(username, password)
    return None


def _digest(challenge: str, username: str, password: str, method: str, target: str) -> str | None:
    given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(challenge)}
    algorithm = given.get("algorithm", "MD5")
    hashed = _HASHES.get(algorithm.lower().removesuffix("-sess"))
    realm, nonce = given.get("realm", ""), given.get("nonce")
    if hashed is None or nonce is None:
        return None
    cnonce = secrets.token_hex(16)

    def of(*parts: str) -> str:
        return hashed(":".join(parts).encode("latin-1"))

    secret = of(username, realm, password)
    if algorithm.lower().endswith("-sess"):
        secret = of(secret, nonce, cnonce)
    made = f'Digest username="{_quoted(username)}", realm="{realm}", nonce="{nonce}", uri="{target}"'
    if "auth" in re.split(r"[,\s]+", given.get("qop", "")):
        response = of(secret, nonce, "00000001", cnonce, "auth", of(method, target))
        made += f', cnonce="{cnonce}", nc=00000001, qop=auth, response="{response}"'
    else:
        made += f', response="{of(secret, nonce, of(method, target))}"'
    if "opaque" in given:
        made += f', opaque="{given["opaque"]}"'
    if "algorithm" in given:
        made += f", algorithm={algorithm}"
    return made


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
