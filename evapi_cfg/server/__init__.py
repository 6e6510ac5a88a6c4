"""Sockets, signals and the event loop: the one room with I/O."""

from evapi_cfg.server.addresses import CannotListen, shown
from evapi_cfg.server.doors import Door, DoorRefused, TlsFiles, reaches_beyond_loopback
from evapi_cfg.server.events import EventServer, Limits
from evapi_cfg.server.exposition import MetricsMissing
from evapi_cfg.server.http_client import HttpClientMissing, check_installed
from evapi_cfg.server.log_stream import LogStream, is_terminal
from evapi_cfg.server.metrics import MetricsAddress, parse_metrics
from evapi_cfg.server.process import configured_address, run_until_told, serve
from evapi_cfg.server.reload import NotReloaded, Reloading
from evapi_cfg.server.rpc import RpcPath, parse_rpc

__all__ = [
    "CannotListen",
    "Door",
    "DoorRefused",
    "EventServer",
    "HttpClientMissing",
    "Limits",
    "LogStream",
    "MetricsAddress",
    "MetricsMissing",
    "NotReloaded",
    "Reloading",
    "RpcPath",
    "TlsFiles",
    "check_installed",
    "configured_address",
    "is_terminal",
    "parse_metrics",
    "parse_rpc",
    "reaches_beyond_loopback",
    "run_until_told",
    "serve",
    "shown",
]
