"""`{s.*}`, the part that encodes, escapes and hashes (modules/pv/pv_trans.c: tr_eval_string; core/basex.h and
core/basex.c; core/strutils.c)."""

from __future__ import annotations

import binascii
import hashlib
import re
import zlib
from typing import Final

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import Argument, Cursor, on_text
from evapi_cfg.modules.transformations.arguments import text as text_argument
from evapi_cfg.modules.transformations.keccak import keccak
from evapi_cfg.modules.transformations.strings import BUFFER, fits

_BITS: Final = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]*\Z")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE: Final = {char: value for value, char in enumerate(_BASE58)}


def data(text: str) -> bytes:
    return text.encode("latin-1")


def chars(data: bytes) -> str:
    return data.decode("latin-1")


# ---- digests --------------------------------------------------------------------------------------------------------


def md5(text: str) -> str:
    return hashlib.md5(data(text), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(data(text)).hexdigest()


def sha384(text: str) -> str:
    return hashlib.sha384(data(text)).hexdigest()


def sha512(text: str) -> str:
    return hashlib.sha512(data(text)).hexdigest()


def digest_length(cursor: Cursor) -> Argument:
    """An argument of s.sha3 or s.keccak: a variable is taken, but its value is not asked for."""
    found = text_argument(cursor)
    return found if isinstance(found, str) else "256"


def _bits(written: str) -> int:
    """The length of a digest, read as strtol does."""
    found = _BITS.match(written)
    bits = int(found[0]) if found else 0
    if bits not in (256, 384, 512):
        raise NoValue
    return bits


def sha3(text: str, written: str = "256") -> str:
    return hashlib.new(f"sha3_{_bits(written)}", data(text)).hexdigest()


def keccak_digest(text: str, written: str = "256") -> str:
    """Keccak as it was handed in, which Ethereum uses: SHA-3 with other padding."""
    return keccak(data(text), _bits(written)).hex()


# ---- hexadecimal, 7 bit ---------------------------------------------------------------------------------------------


def encode_hex(text: str) -> str:
    return data(fits(text, BUFFER // 2 - 1)).hex()


def decode_hex(text: str) -> str:
    digits = fits(text, 2 * BUFFER - 1)[: len(text) // 2 * 2]
    if not _HEX.match(digits):
        raise NoValue
    return chars(bytes.fromhex(digits))


def encode_7bit(text: str) -> str:
    """Seven bits of each character, packed (3GPP TS 23.038 6.1.2.1), in hexadecimal."""
    source = data(fits(text, BUFFER // 2 - 1)) + b"\0\0"
    out = bytearray()
    at = done = 0
    shift = 0
    while done < len(text):
        out.append(source[at] >> shift | source[at + 1] << (7 - shift) & 0xFF)
        at += 1
        done += 1
        shift += 1
        if shift == 7:
            shift = 0
            at += 1
            done += 1
    return out.hex().upper()


def decode_7bit(text: str) -> str:
    fits(text, BUFFER // 2 - 1)
    out = bytearray()
    shift = kept = 0
    for at in range(0, len(text), 2):
        byte = _hex_digit(text[at]) << 4 & 0xFF | _hex_digit(text[at + 1 : at + 2] or "\0")
        out.append(byte << shift & 0x7F | kept)
        kept = byte >> (7 - shift)
        shift += 1
        if shift == 7:
            out.append(kept)
            shift = kept = 0
    return chars(bytes(out))


def _hex_digit(char: str) -> int:
    """The value of a digit; of any other character what the same sum makes of it (core/strutils.c: hex_to_char)."""
    code = ord(char)
    if 48 <= code <= 57:
        return code - 48
    return ((code + 32 if 65 <= code <= 90 else code) - 87) & 0xFF


# ---- base 58, base 64 -----------------------------------------------------------------------------------------------


def encode_base58(text: str) -> str:
    rest = int.from_bytes(data(text), "big")
    digits = []
    while rest:
        rest, digit = divmod(rest, 58)
        digits.append(_BASE58[digit])
    zeros = len(text) - len(text.lstrip("\0"))
    return fits("1" * zeros + "".join(reversed(digits)), BUFFER - 2)


def decode_base58(text: str) -> str:
    """Leading zeros are lost, as in Kamailio."""
    number = 0
    for char in text:
        digit = _BASE58_VALUE.get(char)
        if digit is None:
            raise NoValue
        number = number * 58 + digit
    return fits(chars(number.to_bytes((number.bit_length() + 7) // 8, "big")), BUFFER - 2)


def encode_base64(text: str) -> str:
    return fits(chars(binascii.b2a_base64(data(text), newline=False)))


def decode_base64(text: str) -> str:
    if not text:
        return ""
    if len(text) < 4 or len(text) % 4 or (text[-2] == "=" and text[-1] != "="):
        raise NoValue
    if _BASE64.match(text):
        return fits(chars(binascii.a2b_base64(data(text))))
    return fits(_decode_loosely(text))


def _decode_loosely(text: str) -> str:
    """What is no digit counts as 255: no error, but a garbled result."""
    values = [_BASE64_VALUE.get(char, 0xFF) for char in text]
    out = bytearray()
    for at in range(0, len(text), 4):
        a, b, c, d = values[at : at + 4]
        out += bytes(((a << 2 | b >> 4) & 0xFF, (b << 4 | c >> 2) & 0xFF, (c << 6 | d) & 0xFF))
    return chars(bytes(out[: len(out) - (text[-2] == "=") - (text[-1] == "=")]))


_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64_VALUE: Final = {char: value for value, char in enumerate(_ALPHABET + "+/")}
_BASE64URL_VALUE: Final = {char: value for value, char in enumerate(_ALPHABET + "-_")}
_TO_URL: Final = str.maketrans("+/", "-_")


def trimmed(text: str) -> str:
    """Without the one or two `=` at the end."""
    return text.removesuffix("=").removesuffix("=") if len(text) > 2 else text


def padded(text: str) -> str:
    rest = len(text) % 4
    if not rest:
        return text
    if len(text) + 4 >= BUFFER - 1:
        raise NoValue
    return text + "=" * (4 - rest)


def encode_base64url(text: str) -> str:
    return fits(chars(binascii.b2a_base64(data(text), newline=False)), BUFFER - 2).translate(_TO_URL)


def decode_base64url(text: str) -> str:
    if not text:
        return ""
    digits = text.rstrip("=")
    size = (len(text) * 6 >> 3) - (len(text) - len(digits))
    if not 0 < size < BUFFER - 1:
        raise NoValue
    out = bytearray()
    for at in range(0, len(digits), 4):
        block = 0
        for position, char in enumerate(digits[at : at + 4]):
            value = _BASE64URL_VALUE.get(char)
            if value is None:
                raise NoValue
            block |= value << (18 - 6 * position)
        out += block.to_bytes(3, "big")
    return chars(bytes(out[:size].ljust(size, b"\0")))


# ---- escapes --------------------------------------------------------------------------------------------------------

_COMMON: Final = str.maketrans({"'": "\\'", '"': '\\"', "\\": "\\\\", "\0": "\\0"})
_USER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?")
_PARAM: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()[]/:&+$")
_URL: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def _percent(kept: frozenset[str]) -> dict[int, str]:
    return {code: f"%{code:02x}" for code in range(256) if chr(code) not in kept}


_ESCAPE_USER: Final = _percent(_USER)
_ESCAPE_PARAM: Final = _percent(_PARAM)
_ESCAPE_URL: Final = _percent(_URL)
_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})?")


def escape_common(text: str) -> str:
    return fits(text, BUFFER // 2 - 1).translate(_COMMON)


def unescape_common(text: str) -> str:
    return re.sub(r"\\(['\"\\0])", lambda found: "\0" if found[1] == "0" else found[1], fits(text))


def escape_crlf(text: str) -> str:
    if not text:
        raise NoValue
    return fits(text, BUFFER // 2 - 1).replace("\n", "\\n").replace("\r", "\\r")


def unescape_crlf(text: str) -> str:
    if not text:
        raise NoValue
    return re.sub(r"\\([nr])", lambda found: "\n" if found[1] == "n" else "\r", fits(text))


def _escaped(text: str, table: dict[int, str]) -> str:
    if 3 * len(text) + 1 > BUFFER or _UNPRINTABLE.search(text):
        raise NoValue
    return text.translate(table)


def escape_user(text: str) -> str:
    return _escaped(text, _ESCAPE_USER)


def escape_param(text: str) -> str:
    return _escaped(text, _ESCAPE_PARAM)


def unescape_user(text: str) -> str:
    """`%41` becomes `A`; anything that is not printable ASCII then, or no hexadecimal number, fails."""
    return _ESCAPED.sub(_printable, fits(text))


def _printable(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else 0
    if not 32 <= code <= 126:
        raise NoValue
    return chr(code)


def escape_csv(text: str) -> str:
    if 2 * len(text) + 3 > BUFFER:
        raise NoValue
    return '"' + text.replace('"', '""') + '"'


def url_encode(text: str) -> str:
    if 3 * len(text) + 1 > BUFFER:
        raise NoValue
    return text.translate(_ESCAPE_URL)


def url_decode(text: str) -> str:
    """A `%` without two characters behind it is dropped; those two are not checked (core/strutils.c: urldecode)."""
    fits(text)
    if "%" not in text:
        return text.replace("+", " ")
    return re.sub(r"%(?:([\s\S])([\s\S]))?|\+", _url_decoded, text)


def _url_decoded(found: re.Match[str]) -> str:
    if found[0] == "+":
        return " "
    if found[1] is None:
        return ""
    return chr((_hex_digit(found[1]) << 4 | _hex_digit(found[2])) & 0xFF)


ENCODINGS: Final[tuple[Transformation, ...]] = (
    on_text("s", "md5", "", md5),
    on_text("s", "sha256", "", sha256),
    on_text("s", "sha384", "", sha384),
    on_text("s", "sha512", "", sha512),
    on_text("s", "sha3", "(s?)", sha3, digest_length),
    on_text("s", "keccak", "(s?)", keccak_digest, digest_length),
    on_text("s", "crc32", "", lambda text: zlib.crc32(data(text))),
    on_text("s", "encode.hexa", "", encode_hex),
    on_text("s", "decode.hexa", "", decode_hex),
    on_text("s", "encode.7bit", "", encode_7bit),
    on_text("s", "decode.7bit", "", decode_7bit),
    on_text("s", "encode.base58", "", encode_base58),
    on_text("s", "decode.base58", "", decode_base58),
    on_text("s", "encode.base64", "", encode_base64),
    on_text("s", "decode.base64", "", decode_base64),
    on_text("s", "encode.base64t", "", lambda text: trimmed(encode_base64(text))),
    on_text("s", "decode.base64t", "", lambda text: decode_base64(padded(text))),
    on_text("s", "encode.base64url", "", encode_base64url),
    on_text("s", "decode.base64url", "", decode_base64url),
    on_text("s", "encode.base64urlt", "", lambda text: trimmed(encode_base64url(text))),
    on_text("s", "decode.base64urlt", "", lambda text: decode_base64url(padded(text))),
    on_text("s", "escape.common", "", escape_common),
    on_text("s", "unescape.common", "", unescape_common),
    on_text("s", "escape.crlf", "", escape_crlf),
    on_text("s", "unescape.crlf", "", unescape_crlf),
    on_text("s", "escape.user", "", escape_user),
    on_text("s", "unescape.user", "", unescape_user),
    on_text("s", "escape.param", "", escape_param),
    on_text("s", "unescape.param", "", unescape_user),
    on_text("s", "escape.csv", "", escape_csv),
    on_text("s", "urlencode.param", "", url_encode),
    on_text("s", "urldecode.param", "", url_decode),
)
