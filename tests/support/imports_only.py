"""A contract type for import-linter's settings in pyproject.toml: these modules import only what is listed."""

import sys
from collections.abc import Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ImportsOnly(Contract):
    """Compare the imports of each module, and of the project's modules that it reaches, with an allowlist.

    ``modules``: each is checked alone; a package stands for all modules in it, which may import each other.
    ``allowed``: modules and packages that each of them may import, of the project or installed.
    ``any_external``: whether all installed packages are allowed. The standard library always is.
    """

    type_name = "imports_only"

    modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    any_external = fields.BooleanField(required=False, default=True)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        names: list[Any] = [*self.modules]  # type: ignore[misc]
        broken = [line for name in names for line in self._broken(graph, name)]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def _broken(self, graph: ImportGraph, name: str) -> Iterator[str]:
        if name not in graph.modules:
            yield f"{name} does not exist."
            return
        modules = {name, *graph.find_descendants(name)}
        reached = modules.union(*(graph.find_upstream_modules(module) for module in modules))
        for importer in sorted(module for module in reached if not graph.is_module_squashed(module)):
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                if not self._is_allowed(graph, imported, name):
                    yield f"{name} must not reach this import: {importer} -> {imported}"

    def _is_allowed(self, graph: ImportGraph, imported: str, name: str) -> bool:
        if any(f"{imported}.".startswith(f"{allowed}.") for allowed in (name, *self.allowed)):  # type: ignore[misc]
            return True
        is_external = graph.is_module_squashed(imported)
        return is_external and (bool(self.any_external) or imported in sys.stdlib_module_names)

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)
