"""The modules of this package and of the project's packages that code imports, found by reading it."""

from collections.abc import Collection, Iterable, Iterator
from importlib.util import resolve_name

from pipeline.config.source import file_of
from pipeline.runs.syntax import Source, read


class Modules:
    """Modules with their sources, each looked up and read once: those of one moment."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Source, bool] | None] = {}  # the source, and whether it is a package's

    def closure(
        self, entries: Iterable[str], leaves: Collection[str] = (), left_out: Collection[str] = ()
    ) -> dict[str, Source]:
        """All that the entries import, directly or not, with the packages around it; of `leaves`, no import."""
        waiting, seen, modules = list(entries), set(left_out), dict[str, Source]()
        while waiting:
            module = waiting.pop()
            found = self._find(module)
            if found is None or module in seen:
                continue
            seen.add(module)
            if not found[0].empty:
                modules[module] = found[0]
            if module not in leaves:
                waiting += self._imported(module)
            parent = module.rpartition(".")[0]
            if parent and not self._exports(parent):
                waiting.append(parent)
        return dict(sorted(modules.items()))

    def packages(self, modules: Iterable[str], targets: Iterable[str] = ()) -> set[str]:
        """The other packages, by their top-level names, that modules import or that targets are in."""
        names = {name for module in modules for name in self._absolute(module, whole=False)} | set(targets)
        return {top for name in names if not self._find(top := name.partition(".")[0])}

    def _imported(self, module: str) -> Iterator[str]:
        """Yield the modules that a module imports; a name that a package only re-exports counts as its own module's."""
        whole = set(self._absolute(module, whole=True))
        for name in self._absolute(module, whole=False):
            package, _, attribute = name.rpartition(".")
            if origin := self._exports(package).get(attribute):
                yield origin
            elif name in whole or not self._exports(name):
                yield name

    def _exports(self, package: str) -> dict[str, str]:
        """The names that a package only re-exports, each with its module."""
        found = self._find(package)
        exports = (found[0].exports or {}) if found and found[1] else {}
        return {name: resolve_name(origin, package) for name, origin in exports.items()}

    def _absolute(self, module: str, *, whole: bool) -> list[str]:
        """The full names of a module's imports, or of those that it imports whole, the relative ones resolved."""
        found = self._find(module)
        if not found:
            return []
        source, is_package = found
        package = module if is_package else module.rpartition(".")[0]
        return [resolve_name(name, package) for name in (source.whole if whole else source.imports)]

    def _find(self, module: str) -> tuple[Source, bool] | None:
        if module not in self._found:
            file = file_of(module) if module else None
            self._found[module] = (read(file), file.name == "__init__.py") if file else None
        return self._found[module]
