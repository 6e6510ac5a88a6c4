"""Getters of the message's variables: from what reads a message to what reads a run's message."""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.sip.message import Message
from evapi_cfg.values import EvaluationError, Value


def reader(read: Callable[[Message], Value]) -> Callable[[Run], Value]:
    """A getter from what reads the message."""
    return lambda run: read(current_message(run))


def request(read: Callable[[Message], Value]) -> Callable[[Run], Value]:
    """As `reader`; replies have none of it."""

    def get(run: Run) -> Value:
        message = current_message(run)
        return read(message) if message.is_request else None

    return get


def refuse(run: Run, what: str) -> EvaluationError:
    run.log(Level.ERROR, "pv", what)
    return EvaluationError(what)
