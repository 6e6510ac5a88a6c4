"""The console script, and `python -m evapi_cfg`."""

from __future__ import annotations

import gc


def main() -> None:
    # What starting makes is kept: the collector would only go through it again and again. A server turns it on.
    gc.disable()
    try:
        from evapi_cfg.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
