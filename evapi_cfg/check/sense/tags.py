"""Pass: tags that messages are sent to, and that no client ever gets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import SENDING, literal, modparams, parts
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax.ast import CfgEngine


def check(context: Context) -> Iterator[Diagnostic]:
    if "evapi" not in context.scope.loaded:
        return
    if any(isinstance(item, CfgEngine) for item in context.config.items) or any(
        True for _ in modparams(context, "evapi", "event_callback")
    ):
        return  # the script in another language may set them
    given: list[str] = []
    patterns: list[re.Pattern[str]] = []
    setting = [call for call, _ in context.index.calls if call.name == "evapi_set_tag" and call.args]
    for call in setting:
        text = literal(call, 0)
        if text is None:
            return
        if "$" in text.value:
            pieces = (re.escape(part) if isinstance(part, str) else ".*" for part in parts(text))
            patterns.append(re.compile("".join(pieces), re.DOTALL))
        else:
            given.append(text.value)
    told = False
    for call, _ in context.index.calls:
        tag = literal(call, SENDING.get(call.name, (0, None))[1])
        if call.name not in SENDING or SENDING[call.name][1] is None:
            continue
        if not setting:
            if not told:
                told = True
                yield Diagnostic(
                    codes.TAG_NEVER_SET,
                    f"`{call.name}` reaches nobody: no client is ever given a tag",
                    call.name_span,
                    'call `evapi_set_tag("...")` in event_route[evapi:connection-new] or [evapi:message-received]',
                    (SILENT,),
                )
        elif tag is not None and tag.value and "$" not in tag.value and not _is_given(tag.value, given, patterns):
            yield Diagnostic(
                codes.UNKNOWN_TAG,
                f"no client is ever given the tag `{tag.value}`",
                call.args[SENDING[call.name][1] or 0].span,
                did_you_mean(tag.value, given),
                (SILENT,),
            )


def _is_given(tag: str, given: list[str], patterns: list[re.Pattern[str]]) -> bool:
    return tag in given or any(pattern.fullmatch(tag) for pattern in patterns)
