"""What is counted, in the text form that Prometheus reads. The library that writes it is optional."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from evapi_cfg import __version__
from evapi_cfg.runtime.engine import Engine
from evapi_cfg.runtime.measures import BOUNDS, Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# Name without the prefix (a counter's gets `_total` behind it), what it is, key of the snapshot, key of the label.
_GAUGES: Final = (
    ("clients", "Clients that are connected.", "clients"),
    ("clients_max", "Clients that may be connected (modparam max_clients).", "max_clients"),
    ("queued_bytes", "Bytes that clients have not taken yet, in all.", "queued_bytes"),
    ("waiting_messages", "Messages of clients that wait for their turn.", "waiting_messages"),
    ("parked", "Suspensions of SIP requests that wait to be resumed.", "parked"),
)
_COUNTERS: Final = (
    ("connections", "Clients that were let in.", "connections", ""),
    ("refused", "Connections that were not let in.", "refused", "reason"),
    ("cut", "Clients whose connections were ended from this side.", "cut", ""),
    ("received_messages", "Messages from clients.", "received_messages", ""),
    ("received_bytes", "Bytes from clients.", "received_bytes", ""),
    ("sent_messages", "Messages handed out to clients.", "sent_messages", ""),
    ("sent_bytes", "Bytes handed out to clients.", "sent_bytes", ""),
    ("relays", "Calls that send to clients: to all, to all with a tag, to the first with a tag.", "relays", "kind"),
    ("relays_unheard", "Of them, those that reached nobody.", "relays_unheard", ""),
    ("sip_messages", "SIP messages that came.", "sip_messages", ""),
    ("suspended", "Suspensions of SIP requests.", "parked_in_all", ""),
    ("resumed", "Suspended requests that were resumed.", "resumed", ""),
    ("expired", "Suspensions that nobody resumed in time.", "expired", ""),
    ("reloads", "Times that the configuration was read again.", "reloads", "outcome"),
    ("log_lines", "Log lines that were written.", "log_lines", "level"),
)


class MetricsMissing(ImportError):
    """`--metrics` is asked for, and what writes them is not installed."""

    def __init__(self) -> None:
        super().__init__("--metrics needs prometheus-client, which is not installed: pip install 'evapi-cfg[metrics]'")


def exposition(engine: Engine) -> tuple[Callable[[], bytes], str]:
    """What makes the text, and its content type. Raises MetricsMissing."""
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
    except ImportError:
        raise MetricsMissing from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(cast(Any, _Collector(engine)))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    """Reads all that is counted when it is asked to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        measures, found = self._engine.measures, self._engine.hub.measures()
        version = {"version": __version__, "kamailio": self._engine.world.version}
        yield InfoMetricFamily(
            "evapi_cfg", "Which version runs, and with which version of Kamailio it agrees.", version
        )
        for name, text, key in _GAUGES:
            if key in found:
                yield GaugeMetricFamily(f"evapi_cfg_{name}", text, cast(float, found[key]))
        for name, text, key, label in _COUNTERS:
            value = found.get(key)
            if isinstance(value, Mapping):
                family = CounterMetricFamily(f"evapi_cfg_{name}", text, labels=[label])
                for kind, count in value.items():
                    family.add_metric([kind], cast(float, count))
                yield family
            elif value is not None:
                yield CounterMetricFamily(f"evapi_cfg_{name}", text, cast(float, value))
        routes = cast("list[dict[str, Any]]", found["routes"])
        errors = CounterMetricFamily(
            "evapi_cfg_route_errors", "Log lines that tell of errors, by the block that ran.", labels=["route"]
        )
        for route in routes:
            errors.add_metric([route["route"]], route["errors"])
        yield errors
        runs = ((route, histogram) for route, histogram in measures.routes.items())
        yield _family("route_seconds", "Time of a block from its start to its end, waiting included.", "route", runs)
        lag = (("", measures.loop_lag),)
        yield _family(
            "loop_lag_seconds", "How much too late the event loop woke up, looked at 4 times a second.", "", lag
        )


def _family(name: str, text: str, label: str, found: Iterable[tuple[str, Histogram]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"evapi_cfg_{name}", text, labels=[label] if label else [])
    for value, histogram in found:
        buckets = [(repr(bound), count) for bound, count in zip(BOUNDS, histogram.up_to(), strict=True)]
        family.add_metric([value] if label else [], [*buckets, ("+Inf", histogram.count)], histogram.seconds)
    return family
