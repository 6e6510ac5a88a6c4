"""`msg`, what a Python function of a script gets besides its own object (app_python3: python_msgobj.c)."""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.kemi.python_ksr import inner, outer
from evapi_cfg.modules.context import Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import rewrite
from evapi_cfg.sip.message import Message


class MessageObject:
    """The message of one run; each use after the run has ended raises RuntimeError."""

    __slots__ = ("_modf", "_run")

    def __init__(self, run: Run, modf: Callable[..., int]) -> None:
        self._run: Run | None = run
        self._modf = modf

    def _message(self, *, request: str = "") -> Message:
        if self._run is None:
            raise RuntimeError("msg is only there while the function runs that got it")
        message = current_message(self._run)
        if request and not message.is_request:
            raise RuntimeError(f"msg.{request}: this is no request")
        return message

    @property
    def Type(self) -> str:
        return "SIP_REQUEST" if self._message().is_request else "SIP_REPLY"

    @property
    def Method(self) -> str:
        return outer(self._message(request="Method").method)

    @property
    def Status(self) -> str:
        message = self._message()
        if message.is_request:
            raise RuntimeError("msg.Status: this is no reply")
        return str(message.status)

    @property
    def RURI(self) -> str:
        """As it was received."""
        return outer(self._message(request="RURI").uri)

    @property
    def src_address(self) -> tuple[str, int]:
        received = self._message().received
        return received.source, received.source_port

    @property
    def dst_address(self) -> tuple[str, int]:
        received = self._message().received
        return received.destination, received.destination_port

    def copy(self) -> MessageObject:
        self._message()
        assert self._run is not None
        return MessageObject(self._run, self._modf)

    def getHeader(self, name: str) -> str | None:
        """The first header of a name, None where there is none."""
        wanted = inner(name).lower()
        for header in self._message().headers:
            if header.name.lower() == wanted:
                return outer(header.body)
        return None

    def rewrite_ruri(self, uri: str) -> None:
        self._message(request="rewrite_ruri")
        assert self._run is not None
        rewrite(self._run, "uri", inner(uri))

    def set_dst_uri(self, uri: str) -> None:
        self._message(request="set_dst_uri").dst_uri = inner(uri)

    def call_function(self, *arguments: str) -> int:
        self._message()
        return self._modf(*arguments)

    def forget(self) -> None:
        """The function that got it has returned."""
        self._run = None
