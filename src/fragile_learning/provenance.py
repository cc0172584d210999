"""What a function's value depends on, as one hash: its own code and all code that it names.

The hash of a whole package changes with every commit; that of a function only when something
changes that the function can reach. It is computed from the text of the sources, without running
them: from a function's definition to every function, class and constant of the package that the
definition names (as a global name, an attribute of a module, an import inside a function, a
default argument, a decorator, a base class), and on from there. A class counts with all of its
methods. A constant counts with the statements that define it, so a checksum of a data set that
is written in the package counts too. Comments, docstrings, layout and the annotations of
functions do not count.

What it cannot see: other libraries (a table's manifest has their versions), data that the package
does not name by a checksum, attributes that are looked up by a computed name on an object that no
reached code makes, and modules that change other modules when they are imported. A module that is
used as a value, or imported by a name that is put together at run time, counts as a whole.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import functools
import hashlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from fragile_learning.tables import code_structure

__all__ = ["SourceTree", "code_hash", "dependencies"]

_PACKAGE = "fragile_learning"
_WHOLE = "*"
_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)

# A definition: the module and a name that one of its top-level statements binds.
Key = tuple[str, str]
# A reference: where it starts (None: a name of the same module; else a module), and the names on.
Reference = tuple[str | None, tuple[str, ...]]


# --- the syntax of one statement --------------------------------------------------------------


class _Bare(ast.NodeTransformer):
    """Drop what no value depends on: annotations of functions, and texts that are statements."""

    _in_function = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._body(node, in_function=False)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if not self._in_function:
            return node  # the fields of a dataclass
        return ast.Pass() if node.value is None else ast.Assign([node.target], node.value)

    def _body(self, node: Any, *, in_function: bool) -> None:
        before, self._in_function = self._in_function, in_function
        self.generic_visit(node)
        self._in_function = before
        node.body = _statements(node.body)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for argument in _arguments(node):
            argument.annotation = None
        self._body(node, in_function=True)
        return node


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [*named, *filter(None, (given.vararg, given.kwarg))]


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    kept = [one for one in body if not _is_text(one)]
    return kept or [ast.Pass()]


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function's own scope; of those with a scope of their own, only the head."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _inner(child)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            # an assignment expression in a comprehension binds outside of it
            yield from (one for one in ast.walk(child) if isinstance(one, ast.NamedExpr))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes under a statement that belong to the scope it stands in."""
    return iter(()) if isinstance(node, _SCOPES) else _inner(node)


def _targets(statement: ast.Import | ast.ImportFrom, module: str) -> dict[str, Reference]:
    """Say what each name means that an import statement binds."""
    if isinstance(statement, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: (
                alias.name if alias.asname else alias.name.split(".")[0],
                (),
            )
            for alias in statement.names
        }
    origin = statement.module or ""
    if statement.level:
        parents = module.split(".")[: -statement.level]
        origin = ".".join([*parents, *filter(None, [origin])])
    return {alias.asname or alias.name: (origin, (alias.name,)) for alias in statement.names}


def _imported_text(node: ast.AST) -> ast.expr | None:
    """Return the argument of ``importlib.import_module(...)``, or None for any other node."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return node.args[0] if name in {"import_module", "__import__"} else None


def _pattern(text: ast.expr) -> str:
    """Return the fixed beginning of a text that is put together at run time."""
    if isinstance(text, ast.JoinedStr) and text.values:
        first = text.values[0]
        if isinstance(first, ast.Constant):
            return str(first.value)
    return ""


class _References(ast.NodeVisitor):
    """Names that a statement takes from outside of itself."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.found: set[Reference] = set()
        self.patterns: set[str] = set()
        self.calls: set[tuple[Reference, str | None]] = set()
        self.scopes: list[dict[str, Reference | None]] = []

    def _lookup(self, name: str) -> Reference | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return (None, (name,))

    def visit_Name(self, node: ast.Name) -> None:
        found = self._lookup(node.id)
        if found is not None:
            self.found.add(found)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        names: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            names.insert(0, base.attr)
            base = base.value
        found: Reference | None = None
        text = _imported_text(base)
        if isinstance(base, ast.Name):
            found = self._lookup(base.id)
        elif isinstance(text, ast.Constant):
            found = (str(text.value), ())
        else:
            self.visit(base)
        if found is not None:
            self.found.add((found[0], (*found[1], *names)))

    def visit_Assign(self, node: ast.Assign) -> None:
        text = _imported_text(node.value)
        target = node.targets[0]
        if (
            len(node.targets) == 1
            and isinstance(target, ast.Name)
            and isinstance(text, ast.Constant)
            and self._lookup(target.id) == (str(text.value), ())
        ):
            return  # a name for a module: what is taken from it counts
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        text = _imported_text(node)
        if isinstance(text, ast.Constant):
            self.found.add((str(text.value), ()))
        elif text is not None:
            self.patterns.add(_pattern(text))
        if isinstance(node.func, ast.Name):
            found = self._lookup(node.func.id)
            first = node.args[0] if len(node.args) == 1 and not node.keywords else None
            literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if found is not None:
                given = str(first.value) if isinstance(first, ast.Constant) and literal else None
                self.calls.add((found, given))
        self.generic_visit(node)

    def _inside(self, scope: dict[str, Reference | None], nodes: Iterable[ast.AST]) -> None:
        self.scopes.append(scope)
        for node in nodes:
            self.visit(node)
        self.scopes.pop()

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = node.args
        for outside in (
            *getattr(node, "decorator_list", ()),
            *arguments.defaults,
            *filter(None, arguments.kw_defaults),
        ):
            self.visit(outside)
        scope: dict[str, Reference | None] = {argument.arg: None for argument in _arguments(node)}
        body: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
        meanings: dict[str, list[Reference | None]] = {}
        for name, meaning in self._bound(body):
            meanings.setdefault(name, []).append(meaning)
        for name, several in meanings.items():
            once = name not in scope and len(several) == 1
            scope[name] = several[0] if once else None
            if not once:  # one name for several things: each counts as a whole
                self.found |= {meaning for meaning in several if meaning is not None}
        for name in self._elsewhere(body):
            scope.pop(name, None)
        self._inside(scope, body)

    def _bound(self, body: list[ast.AST]) -> Iterator[tuple[str, Reference | None]]:
        """Names that a scope binds, with the modules and imported names among them."""
        modules: dict[str, Reference] = {}
        nodes = [node for one in body for node in (one, *_own(one))]
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from _targets(node, self.module).items()
            elif isinstance(node, ast.Assign) and isinstance(
                text := _imported_text(node.value), ast.Constant
            ):
                modules |= {
                    target.id: (str(text.value), ())
                    for target in node.targets
                    if isinstance(target, ast.Name)
                }
        for node in nodes:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id, modules.get(node.id)
            elif isinstance(node, ast.NamedExpr):
                yield node.target.id, None
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or (
                isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name
            ):
                yield str(node.name), None

    @staticmethod
    def _elsewhere(body: list[ast.AST]) -> Iterator[str]:
        for node in (node for one in body for node in (one, *_own(one))):
            if isinstance(node, ast.Global | ast.Nonlocal):
                yield from node.names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def _comprehension(self, node: Any) -> None:
        self.visit(node.generators[0].iter)
        names: dict[str, Reference | None] = {
            one.id: None
            for generator in node.generators
            for one in ast.walk(generator.target)
            if isinstance(one, ast.Name)
        }
        self._inside(names, ast.iter_child_nodes(node))

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)


# --- the modules ------------------------------------------------------------------------------


class _Module:
    """Top-level statements of a module, by the names that they bind or change."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.imports: dict[str, Reference] = {}
        self.stars: list[str] = []
        self.statements: dict[str, list[ast.stmt]] = {}
        tree = _Bare().visit(ast.parse(path.read_text(encoding="utf-8")))
        package = f"{name}.__init__" if path.name == "__init__.py" else name
        self.body = [one for one in tree.body if not _is_text(one)]
        for statement in self.body:
            self._imports(statement, package)
        for statement in self.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                for bound in self._names(statement):
                    self.statements.setdefault(bound, []).append(statement)

    def _imports(self, statement: ast.stmt, package: str) -> None:
        for node in (statement, *_inner(statement)):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return
            if isinstance(node, ast.Import | ast.ImportFrom):
                for bound, target in _targets(node, package).items():
                    if bound == "*":
                        self.stars.append(str(target[0]))
                    else:
                        self.imports[bound] = target

    @staticmethod
    def _names(statement: ast.stmt) -> set[str]:
        """Names that a statement binds or may change."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return {statement.name}
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            places = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            nodes = [node for place in places for node in ast.walk(place)]
        else:  # an expression, a loop, a condition: it may change all that it mentions
            nodes = list(ast.walk(statement))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        return (names | {str(node.name) for node in nodes if isinstance(node, kinds)}) - {"__all__"}

    def at_line(self, line: int) -> str:
        """Return a name that the statement at a line binds."""
        for statement in self.body:
            first = min(
                [statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))]
            )
            if first <= line <= (statement.end_lineno or first):
                names = self._names(statement)
                if names:
                    return min(names)
        raise ValueError(f"no definition at line {line} of module {self.name}")


class SourceTree:
    """Sources of one or more packages, from which definitions are followed and hashed.

    Parameters
    ----------
    roots : mapping of str to path
        For each top-level package its folder, for each single module its file. Nothing of it is
        imported: it may be another version than the one that runs.

    Raises
    ------
    FileNotFoundError
        If a root is not there.

    Examples
    --------
    >>> import fragile_learning
    >>> tree = SourceTree({"fragile_learning": Path(fragile_learning.__file__).parent})
    >>> tree.dependencies([("fragile_learning.tables", "manifest_path")])
    ('fragile_learning.tables:manifest_path',)
    """

    def __init__(self, roots: Mapping[str, Path | str]) -> None:
        self.roots = {name: Path(path) for name, path in roots.items()}
        for path in self.roots.values():
            if not path.exists():
                raise FileNotFoundError(f"no sources at {path}")
        self._modules: dict[str, _Module | None] = {}
        self._paths: dict[str, Path | None] = {}
        self._importers: dict[Key, str | None] = {}
        self._direct: dict[Key, tuple[str, frozenset[Key]]] = {}

    def _path(self, name: str) -> Path | None:
        """File of a module, or the folder of a package without one; None outside of the roots."""
        if name not in self._paths:
            self._paths[name] = self._find(name)
        return self._paths[name]

    def _find(self, name: str) -> Path | None:
        for top, root in self.roots.items():
            if name == top:
                return root if root.is_file() else root / "__init__.py"
            if name.startswith(f"{top}.") and root.is_dir():
                place = root.joinpath(*name[len(top) + 1 :].split("."))
                for path in (place.with_suffix(".py"), place / "__init__.py"):
                    if path.is_file():
                        return path
                # a folder without __init__.py is a package too
                return place if place.is_dir() and any(place.glob("*.py")) else None
        return None

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = (
                _Module(name, path) if path is not None and path.is_file() else None
            )
        return self._modules[name]

    def _matching(self, prefix: str) -> Iterator[str]:
        """Modules whose names begin with a text."""
        for top, root in self.roots.items():
            files = [root] if root.is_file() else sorted(root.rglob("*.py"))
            for file in files:
                parts = () if file == root else file.relative_to(root).with_suffix("").parts
                name = ".".join([top, *parts]).removesuffix(".__init__")
                if name.startswith(prefix):
                    yield name

    # --- from names to definitions

    def _resolve(self, module: str, names: tuple[str, ...]) -> Iterator[Key]:
        """Definitions that ``module.a.b`` refers to; none outside of the roots."""
        if self._path(module) is None:
            return
        if not names:
            yield (module, _WHOLE)
            return
        name, *rest = names
        found = self._module(module)
        if found is not None:
            if name in found.statements:
                yield (module, name)
            if name in found.imports:
                origin, path = found.imports[name]
                yield from self._resolve(str(origin), (*path, *rest))
                return
            if name in found.statements:
                return
        if self._path(f"{module}.{name}") is not None:
            yield from self._resolve(f"{module}.{name}", tuple(rest))
            return
        if found is not None:
            for star in found.stars:
                keys = list(self._resolve(star, names))
                if keys and keys != [(star, _WHOLE)]:
                    yield from keys
                    return
            if "__getattr__" in found.statements:
                yield (module, "__getattr__")
        if not (name.startswith("__") and name.endswith("__")):
            yield (module, _WHOLE)  # an attribute that no statement binds

    def _referred(self, module: str, reference: Reference) -> Iterator[Key]:
        origin, names = reference
        if origin is not None:
            yield from self._resolve(origin, names)
            return
        found = self._module(module)
        if found is not None and (
            names[0] in found.statements
            or names[0] in found.imports
            or (found.stars and not hasattr(builtins, names[0]))
        ):
            yield from self._resolve(module, names)

    def _importer(self, key: Key) -> str | None:
        """Return the beginning of the module names that a function imports by its only argument."""
        if key not in self._importers:
            self._importers[key] = self._beginning(key)
        return self._importers[key]

    def _beginning(self, key: Key) -> str | None:
        module, name = key
        found = self._module(module)
        statements = [] if found is None else found.statements.get(name, [])
        for statement in statements:
            if not isinstance(statement, ast.FunctionDef) or len(statement.args.args) != 1:
                continue
            for node in ast.walk(statement):
                text = _imported_text(node)
                if (
                    isinstance(text, ast.JoinedStr)
                    and len(text.values) == 2
                    and isinstance(variable := text.values[1], ast.FormattedValue)
                    and isinstance(variable.value, ast.Name)
                    and variable.value.id == statement.args.args[0].arg
                ):
                    return _pattern(text)
        return None

    def _look(self, key: Key) -> tuple[str, frozenset[Key]]:
        """Structure of a definition, and the definitions that it names."""
        if key in self._direct:
            return self._direct[key]
        module, name = key
        found = self._module(module)
        texts: list[str] = []
        keys: set[Key] = set()
        if name == _WHOLE and found is None:  # a folder that is a package
            keys |= {(one, _WHOLE) for one in self._matching(f"{module}.")}
        elif name == _WHOLE and found is not None:
            keys |= {(module, one) for one in found.statements}
            for bound in found.imports:
                keys |= set(self._resolve(module, (bound,))) - {(module, _WHOLE)}
            keys |= {(star, _WHOLE) for star in found.stars if self._path(star) is not None}
        elif found is not None:
            for statement in found.statements[name]:
                named, meanings = self._named(module, key, statement)
                keys |= named
                texts.append(code_structure(statement) + meanings)
        self._direct[key] = ("\0".join(texts), frozenset(keys - {key}))
        return self._direct[key]

    def _meaning(self, module: str, reference: Reference) -> tuple[set[Key], str]:
        """Return the definitions that a reference leads to, and the same as a text."""
        keys = set(self._referred(module, reference))
        origin, names = reference
        found = self._module(module)
        text = ",".join(f"{one}:{name}" for one, name in sorted(keys))
        if not keys and origin is None and found is not None and names[0] in found.imports:
            start, path = found.imports[names[0]]  # of another library
            text = ".".join([str(start), *path])
        return keys, f"{origin or ''}.{'.'.join(names)}={text}" if text else ""

    def _named(self, module: str, key: Key, statement: ast.stmt) -> tuple[set[Key], str]:
        path = self._path(module)
        package = f"{module}.__init__" if path and path.name == "__init__.py" else module
        seen = _References(package)
        seen.visit(statement)
        found = [self._meaning(module, reference) for reference in seen.found]
        keys = {one for several, _ in found for one in several}
        own = self._importer(key)
        for pattern in seen.patterns:
            if pattern != own:
                keys |= {(one, _WHOLE) for one in self._matching(pattern)}
        called: dict[Key, set[str | None]] = {}
        for reference, text in seen.calls:
            for one in self._referred(module, reference):
                called.setdefault(one, set()).add(text)
        for one in list(keys - {key}):
            beginning = self._importer(one)
            if beginning is None:
                continue
            # a function that imports a module by its argument: the argument tells which
            given = called.get(one, {None})
            chosen = [None if text is None else beginning + text for text in given]
            wanted = self._matching(beginning) if None in chosen else map(str, chosen)
            keys |= {(name, _WHOLE) for name in wanted if self._path(name) is not None}
        return keys, "".join(sorted(f"\0{text}" for _, text in found if text))

    def _closure(self, keys: Iterable[Key]) -> list[Key]:
        waiting = list(keys)
        for module, name in waiting:
            found = self._module(module)
            if found is None or (name != _WHOLE and name not in found.statements):
                raise ValueError(f"no definition of {name!r} in the sources of module {module!r}")
        reached: set[Key] = set()
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached.add(key)
                waiting.extend(self._look(key)[1] - reached)
        return sorted(reached)

    # --- answers

    def dependencies(self, definitions: Iterable[Key]) -> tuple[str, ...]:
        """Names of all definitions that these can reach, themselves included.

        Parameters
        ----------
        definitions : iterable of (module, name)

        Returns
        -------
        tuple of str
            ``module:name``, sorted; ``module:*`` for a module that is used as a whole.

        Raises
        ------
        ValueError
            If one of the definitions is not in the sources.
        """
        return tuple(f"{module}:{name}" for module, name in self._closure(definitions))

    def code_hash(self, definitions: Iterable[Key]) -> str:
        """SHA-256 of all code that these definitions can reach.

        Parameters
        ----------
        definitions : iterable of (module, name)

        Raises
        ------
        ValueError
            If one of the definitions is not in the sources.
        """
        digest = hashlib.sha256()
        for module, name in self._closure(definitions):
            digest.update(f"{module}:{name}\0{self._look((module, name))[0]}\0".encode())
        return digest.hexdigest()

    def name_at(self, module: str, line: int) -> str:
        """Return the name that the top-level statement at a line of a module binds.

        Raises
        ------
        ValueError
            If no statement that binds a name stands there.
        """
        found = self._module(module)
        if found is None:
            raise ValueError(f"no sources of module {module!r}")
        return found.at_line(line)

    def binds(self, module: str, name: str) -> bool:
        """Whether a top-level statement of a module binds a name."""
        found = self._module(module)
        return found is not None and name in found.statements


# --- functions that run -----------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _tree(roots: tuple[tuple[str, str], ...]) -> SourceTree:
    return SourceTree(dict(roots))


def _tree_of(module: str) -> SourceTree:
    """Return the sources of this package, and of the package or file of a module."""
    roots = {_PACKAGE: str(Path(__file__).resolve().parent)}
    top = module.split(".")[0]
    if top != _PACKAGE:
        package = sys.modules.get(top)
        folders = list(getattr(package, "__path__", ()))
        owner = sys.modules.get(module)
        file = getattr(owner, "__file__", None)
        if folders and file and Path(folders[0]) in Path(file).parents:
            roots[top] = str(folders[0])
        elif file and Path(file).is_file():
            roots[module] = str(file)
        else:
            raise ValueError(f"the sources of module {module!r} cannot be read")
    return _tree(tuple(sorted(roots.items())))


def _parts(value: Any) -> tuple[list[Key], list[str]]:
    """Definitions that a callable stands for, and the values that it carries."""
    if isinstance(value, functools.partial):
        keys, carried = _parts(value.func)
        return keys, [*carried, _plain(value.args, keys), _plain(value.keywords, keys)]
    if isinstance(value, types.MethodType):
        keys, carried = _parts(value.__func__)
        return keys, [*carried, _plain(value.__self__, keys)]
    own = inspect.unwrap(value) if callable(value) else value
    module, name = getattr(own, "__module__", None), getattr(own, "__qualname__", None)
    if not callable(value) or not isinstance(module, str) or not isinstance(name, str):
        raise TypeError(f"function must be a function or a class, got {value!r}")
    tree, first = _tree_of(module), name.split(".")[0]
    code = getattr(own, "__code__", None)
    if not tree.binds(module, first):
        if code is None:
            raise ValueError(f"no definition of {name} in the sources of module {module!r}")
        first = tree.name_at(module, code.co_firstlineno)
    keys = [(module, first)]
    carried = []
    if code is not None and "<locals>" in name:
        cells = dict(zip(code.co_freevars, own.__closure__ or (), strict=True))
        try:
            bound = {variable: cell.cell_contents for variable, cell in cells.items()}
        except ValueError:
            raise TypeError(f"{name} carries a variable that has no value yet") from None
        bound.pop(name.rsplit(".", 1)[-1], None)  # itself
        carried.append(
            f"{name}{_plain([bound, own.__defaults__ or (), own.__kwdefaults__ or {}], keys)}"
        )
    return keys, carried


def _plain(value: Any, keys: list[Key]) -> str:
    """One text for one value, the same in every process; code in it goes to ``keys``."""
    if isinstance(value, enum.Enum):
        keys.extend(_known(type(value)))
        return f"{type(value).__qualname__}.{value.name}"
    if value is None or isinstance(value, bool | int | str | bytes | complex | range | slice):
        return repr(value)
    if isinstance(value, float):
        return float(value).hex()
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return f"array{value.shape}{_plain(value.tolist(), keys)}"
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array({value.dtype.str},{value.shape},{content})"
    if isinstance(value, np.generic):
        return f"{value.dtype.str}:{_plain(value.item(), keys)}"
    if isinstance(value, list | tuple):
        keys.extend(_known(type(value)))
        return f"{type(value).__name__}({','.join(_plain(one, keys) for one in value)})"
    if isinstance(value, Mapping):
        rows = sorted(f"{_plain(key, keys)}:{_plain(one, keys)}" for key, one in value.items())
        return f"{{{','.join(rows)}}}"
    if isinstance(value, set | frozenset):
        return f"set({','.join(sorted(_plain(one, keys) for one in value))})"
    if isinstance(value, PurePath):
        return f"path:{value.as_posix()}"
    if isinstance(value, re.Pattern):
        return f"pattern:{value.pattern!r},{value.flags}"
    if isinstance(value, types.ModuleType):
        if _tree_of(_PACKAGE)._path(value.__name__) is not None:
            keys.append((value.__name__, _WHOLE))
        return f"module:{value.__name__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        keys.extend(_known(type(value)))
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_plain(fields, keys)}"
    if isinstance(value, type | types.FunctionType | types.MethodType | functools.partial) or (
        callable(value) and hasattr(value, "__wrapped__")
    ):
        if isinstance(value, type) and not _known(value):
            return f"class:{value.__module__}.{value.__qualname__}"
        named, carried = _parts(value)
        keys.extend(named)
        return f"code:{named}{carried}"
    if callable(value) and hasattr(value, "__name__"):  # of another library, or built in
        return f"function:{getattr(value, '__module__', '')}.{value.__name__}"
    raise TypeError(
        f"a value of type {type(value).__name__} that a function carries has no text that is the "
        f"same in every process, got {value!r}"
    )


def _known(kind: type) -> list[Key]:
    """Return the definition of a class of this package; nothing for a class of another."""
    if kind.__module__.split(".")[0] != _PACKAGE:
        return []
    return [(kind.__module__, kind.__qualname__.split(".")[0])]


def _all_parts(functions: tuple[Callable[..., Any], ...]) -> tuple[SourceTree, list[Key], str]:
    if not functions:
        raise ValueError("function must be at least one function, got none")
    keys: list[Key] = []
    carried: list[str] = []
    for function in functions:
        try:
            named, values = _parts(function)
        except RecursionError:
            raise TypeError(
                f"{function!r} carries a value that contains itself, such as one of two inner "
                "functions that call each other: this has no text"
            ) from None
        keys += named
        carried += values
    roots: dict[str, str] = {}
    for module, _ in keys:
        roots |= {name: str(path) for name, path in _tree_of(module).roots.items()}
    return _tree(tuple(sorted(roots.items()))), keys, "\0".join(carried)


def dependencies(*functions: Callable[..., Any]) -> tuple[str, ...]:
    """Names of everything that the hash of these functions rests on.

    Parameters
    ----------
    *functions : callable
        As for :func:`code_hash`.

    Returns
    -------
    tuple of str
        ``module:name``, sorted; ``module:*`` for a module that is used as a whole.

    Raises
    ------
    TypeError, ValueError
        As :func:`code_hash`.

    Examples
    --------
    >>> from fragile_learning.statistics import z_bound
    >>> [name.split(":")[1] for name in dependencies(z_bound)][-1]
    'z_bound'
    """
    tree, keys, _ = _all_parts(functions)
    return tree.dependencies(keys)


def code_hash(*functions: Callable[..., Any]) -> str:
    """SHA-256 of all code that the value of one or more functions depends on.

    The same in every process, on every machine and in every version of Python. See the head of
    this module for what counts and for what cannot be seen.

    Parameters
    ----------
    *functions : callable
        Functions, classes, methods, or `functools.partial` objects. A function that was made
        inside another one counts with the values that it carries: numbers, texts, arrays, plain
        containers, dataclasses and functions.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        If something is no function, or carries a value of another kind, one that contains itself
        or a variable without a value.
    ValueError
        If the sources cannot be read.

    Examples
    --------
    >>> from fragile_learning.equivalents import df1, df2
    >>> code_hash(df1) == code_hash(df1), code_hash(df1) == code_hash(df2)
    (True, False)
    """
    tree, keys, carried = _all_parts(functions)
    code = tree.code_hash(keys)
    if not carried:
        return code
    return hashlib.sha256(f"{code}\0{carried}".encode()).hexdigest()
