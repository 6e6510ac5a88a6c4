"""The modules that run here, as one table made from their specs: `evapi-cfg explain --modules`, and in the README."""

from __future__ import annotations

from evapi_cfg.catalog import Catalog
from evapi_cfg.modules import by_name
from evapi_cfg.modules.spec import ModuleSpec


def table() -> str:
    """A Markdown table with a line for each module. "5 of 7" says how many of Kamailio's run here."""
    catalog = Catalog()
    rows = [
        ("module", "what it is for", "functions", "variables, transformations", "KSR", "RPC"),
        ("---", "---", "---", "---", "---", "---"),
        *(
            _row(module, catalog)
            for module in sorted(by_name.values(), key=lambda module: (module.name != "core", module.name))
        ),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(module: ModuleSpec, catalog: Catalog) -> tuple[str, ...]:
    names = {function.name for function in module.functions if function.runs}
    exports = catalog.module(module.name)
    known = {name for name, fs in exports.functions.items() if any(f.routes for f in fs)} if exports else names
    functions = f"{len(names)} of {len(known)}" if known - names else str(len(names) or "")
    values = len(module.pvs) + len(module.transformations)
    counts = (values, len(module.kemi), len(module.rpc))
    return (f"`{module.name}`", module.doc, functions, *(str(count or "") for count in counts))
