"""What every pass is given: the configuration, its index, the scope of its names, and the judge of variables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from evapi_cfg.catalog import Catalog
from evapi_cfg.check.endings import Endings
from evapi_cfg.check.index import Index, build
from evapi_cfg.check.scope import Scope
from evapi_cfg.check.tables import Tables
from evapi_cfg.check.unread import NOTHING, Unread
from evapi_cfg.check.variables import Variables
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.syntax.ast import Config

LOOP_LIMIT = 17  # CPython compiles 20 blocks inside each other, and a failing statement takes up to three


class Context:
    """One configuration under check. The parts are made when a pass first asks for them."""

    def __init__(
        self, config: Config, specs: Mapping[str, ModuleSpec], catalog: Catalog, unread: Unread = NOTHING
    ) -> None:
        self.config = config
        self.catalog = catalog
        self.scope = Scope(config, specs, catalog, unread)

    @cached_property
    def index(self) -> Index:
        return build(self.config, LOOP_LIMIT)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.scope)

    @cached_property
    def variables(self) -> Variables:
        return Variables(self.scope, self.tables, avp_default=self.config.avp_default)

    @cached_property
    def endings(self) -> Endings:
        return Endings(self.index, self.scope.routes)
