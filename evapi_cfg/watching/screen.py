"""What `evapi-cfg top` shows, as lines of text: no terminal, no clock, no socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evapi_cfg.watching.text import count, duration, fitted, seconds, size

Document = Mapping[str, Any]  # an answer of the server
ROUTES_SHOWN: Final = 0.4  # of the lines that clients and routes share, those of routes at most
_LEAST: Final = 12  # lines of a screen


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server has answered. `moment` is on a monotonic clock, in seconds; `clients` is None where they could
    not be told, for the reason in `note`."""

    moment: float
    metrics: Document
    clients: Sequence[Document] | None = ()
    note: str = ""
    by_client: Mapping[tuple[object, ...], Document] = field(init=False, repr=False)
    by_route: Mapping[str, Document] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_client", {_identity(client): client for client in self.clients or ()})
        object.__setattr__(self, "by_route", {route["route"]: route for route in self.metrics.get("routes", ())})


def _identity(client: Document) -> tuple[object, ...]:
    """A place may have been given to somebody else."""
    return client["conidx"], client["address"], client["port"]


class Rates:
    """How much more there is than before, a second. Without a sample before, the mean since the server's start."""

    def __init__(self, now: Sample, before: Sample | None) -> None:
        restarted = before is not None and now.metrics.get("uptime", 0) < before.metrics.get("uptime", 0)
        self._before = None if restarted else before
        self.is_mean = self._before is None
        uptime = now.metrics.get("uptime") or 1e-9
        self.seconds = max(uptime if self._before is None else now.moment - self._before.moment, 1e-9)

    def of(self, now: Document, before: Document | None, *names: str) -> float:
        """Of a number in these documents; `names` leads to it."""
        there, old = _number(now, names), 0.0
        if self._before is not None:
            old = there if before is None else _number(before, names)
        return max(there - old, 0.0) / self.seconds

    def total(self, now: Sample, *names: str) -> float:
        return self.of(now.metrics, None if self._before is None else self._before.metrics, *names)

    def client(self, client: Document, name: str) -> float:
        if self._before is None:
            return self.of(client, None, name)
        # Who was not there before has begun with nothing.
        return self.of(client, self._before.by_client.get(_identity(client), {}), name)

    def route(self, route: Document, name: str) -> float:
        if self._before is None:
            return self.of(route, None, name)
        return self.of(route, self._before.by_route.get(route["route"], {}), name)


def _number(document: Document, names: Sequence[str]) -> float:
    found: Any = document
    for name in names:
        found = found.get(name, 0) if isinstance(found, Mapping) else 0
    return float(found or 0)


def lines(
    now: Sample, before: Sample | None, *, width: int, height: int | None = None, colour: bool = False
) -> list[str]:
    """The screen from top to bottom, each line in no more than `width` columns; all there is where `height` is None."""
    rates = Rates(now, before)
    made = _summary(now, rates, width)
    clients, routes = _clients(now, rates, width), _routes(now, rates, width)
    room = None if height is None else max(height, _LEAST) - len(made) - 2  # a blank line in front of each table
    if room is not None:
        for_routes = min(len(routes), max(int(room * ROUTES_SHOWN), room - len(clients), 2))
        routes = _cut(routes, for_routes)
        clients = _cut(clients, max(room - len(routes), 0))
    for table in (clients, routes):
        if table:
            made += ["", f"\033[7m{table[0]}\033[0m" if colour else table[0].rstrip(), *table[1:]]
    return [line if "\033" in line else line.rstrip() for line in made]


def _cut(table: list[str], room: int) -> list[str]:
    if len(table) <= room:
        return table
    kept = table[: max(room - 1, 1)]
    return [*kept, f"  ... and {len(table) - len(kept)} more"][:room]


def _summary(now: Sample, rates: Rates, width: int) -> list[str]:
    found = now.metrics
    lag = found.get("loop_lag")
    head = [
        f"evapi-cfg, up {duration(found.get('uptime', 0))}{' (all rates since then)' if rates.is_mean else ''}",
        f"{found.get('clients', 0)} of {found.get('max_clients', 0)} clients",
    ]
    if lag is not None:
        head.append(f"loop lag {seconds(lag)}")

    def flow(name: str, text: str) -> str:
        messages, data = rates.total(now, f"{name}_messages"), rates.total(now, f"{name}_bytes")
        in_all = f"{count(found.get(f'{name}_messages', 0))} messages, {size(found.get(f'{name}_bytes', 0))}"
        return f"{text:4}{count(messages):>8} messages {size(data):>9} a second; {in_all} in all"

    made = [", ".join(head), flow("received", "in"), flow("sent", "out")]
    waiting = f"{size(found.get('queued_bytes', 0))} not taken by clients"
    made.append(f"{waiting}, {count(found.get('waiting_messages', 0))} messages wait for their turn")
    if found.get("parked_in_all") or found.get("sip_messages"):
        made.append(
            f"SIP {count(rates.total(now, 'sip_messages'))} messages a second; {count(found.get('parked', 0))} parked, "
            f"{count(rates.total(now, 'resumed'))} resumed and {count(rates.total(now, 'expired'))} expired a second"
        )
    log = found.get("log_lines", {})
    errors = sum(log.get(name, 0) for name in ("ALERT", "BUG", "CRITICAL", "ERROR"))
    refused = found.get("refused", {})
    reasons = ", ".join(f"{name} {count(number)}" for name, number in refused.items() if number)
    reloads = found.get("reloads", {})
    made.append(
        f"refused {count(sum(refused.values()))}{f' ({reasons})' if reasons else ''}, "
        f"cut {count(found.get('cut', 0))}, errors {count(errors)}, warnings {count(log.get('WARNING', 0))}, "
        f"reloads {count(reloads.get('done', 0))} (failed {count(reloads.get('failed', 0))})"
    )
    if now.note:
        made.append(now.note)
    return [fitted(line, width).rstrip() for line in made]


def _clients(now: Sample, rates: Rates, width: int) -> list[str]:
    """The busiest first."""
    if now.clients is None:
        return []
    wide = max(width - 56, 12)
    address, tag = min(wide * 3 // 5, 48), min(wide - wide * 3 // 5, 64)
    numbers = f"{'in/s':>8}{'out/s':>8}{'in':>9}{'out':>9}{'queued':>10}"
    head = f"{'client':>6}  {fitted('address', address)} {fitted('tag', tag)}{numbers}"
    rows = []
    for client in now.clients:
        flow = [rates.client(client, name) for name in ("received_messages", "sent_messages")]
        data = sum(rates.client(client, name) for name in ("received_bytes", "sent_bytes"))
        host = client["address"]
        place = f"[{host}]:{client['port']}" if ":" in host else f"{host}:{client['port']}"
        rows.append(
            (
                -data,
                -client.get("queued_bytes", 0),
                client["conidx"],
                f"{client['conidx']:>6}  {fitted(place, address)} {fitted(client.get('tag') or '', tag)}"
                f"{count(flow[0]):>8}{count(flow[1]):>8}{size(client.get('received_bytes', 0)):>9}"
                f"{size(client.get('sent_bytes', 0)):>9}{size(client.get('queued_bytes', 0)):>10}",
            )
        )
    rows.sort()
    return [fitted(head, width), *(fitted(row[-1], width) for row in rows)] if rows else []


def _routes(now: Sample, rates: Rates, width: int) -> list[str]:
    """Those that take most of the time first."""
    if not now.metrics.get("timed", False):
        return [fitted("route: times are there with run --metrics HOST:PORT", width)]
    name = max(min(width - 41, 70), 20)
    head = f"{fitted('route', name)}{'runs/s':>8}{'mean':>9}{'slowest':>10}{'busy':>7}{'errors':>7}"
    rows = []
    for route in now.metrics.get("routes", ()):
        runs, busy = rates.route(route, "runs"), rates.route(route, "seconds")
        mean = busy / runs if runs else route.get("seconds", 0) / (route.get("runs") or 1)
        slowest = f"<{seconds(route['slowest'])}" if route.get("slowest") else ""
        rows.append(
            (
                -busy,
                -route.get("runs", 0),
                route["route"],
                f"{fitted(route['route'], name)}{count(runs):>8}{seconds(mean) if mean else '':>9}{slowest:>10}"
                f"{f'{busy:.1%}':>7}{count(route.get('errors', 0)):>7}",
            )
        )
    rows.sort()
    return [fitted(head, width), *(fitted(row[-1], width) for row in rows)]
