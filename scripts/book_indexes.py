"""What the book says about itself, collected when it is built: a Sphinx extension.

Four directives, each for one page of the reference part:

``{statement-index}``
    Every definition, lemma, theorem and the like of all pages, with its number and a link.
``{figure-index}``
    Every figure of all pages: what it shows, the tables whose data it draws, and the commands that
    make them, read from the cells that draw it.
``{cite-book}``
    BibTeX and text, from ``CITATION.cff``.
``{cite-papers}``
    The entries of ``book/references.bib`` of the papers behind the chapters.

The lists are made after all pages have been read, from the pages themselves: nothing is typed, and
nothing can grow stale in a notebook cache. Pages with a list are read again in every build.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LOG = logging.getLogger(__name__)
PACKAGE = "fragile_learning"

_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.DOTALL | re.MULTILINE)
_BLOCK_OPTIONS = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)
_PAPER = re.compile(r"^The paper is \{cite:t\}`(\w+)`", re.MULTILINE)
_ENTRY = re.compile(r"^@\w+\{(\w+),.*?^\}", re.DOTALL | re.MULTILINE)


# --- figures, from the cells that draw them ---------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Where data of a figure come from.

    Attributes
    ----------
    name : str
        ``room/experiment``, or the dotted name of a function of the package.
    tier : str
        ``"quick"`` or ``"full"`` for an experiment; empty for a function.
    """

    name: str
    tier: str = ""

    @property
    def command(self) -> str:
        """What a reader types to get the data."""
        return f"fragile-learning run {self.name} --tier {self.tier}" if self.tier else self.name


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of a page, as its cell tells.

    Attributes
    ----------
    alt : str
        Its text for readers who cannot see it.
    function : str
        Dotted name of the function that draws it.
    sources : tuple of Source
        In the order of their appearance, each once.
    """

    alt: str
    function: str
    sources: tuple[Source, ...]


def code_cells(text: str) -> list[str]:
    """Return the sources of a page's code cells, without their options and magics."""
    cells = []
    for match in _CELL.finditer(text):
        body = _BLOCK_OPTIONS.sub("", match[1])
        lines = body.splitlines()
        while lines and lines[0].startswith(":"):
            lines.pop(0)
        cells.append("\n".join(re.sub(r"^(\s*)%.*", r"\1pass", line) for line in lines))
    return cells


def page_figures(text: str) -> list[DrawnFigure]:
    """Return the figures that a page shows, in order.

    Raises
    ------
    SyntaxError
        If a cell is not Python.
    ValueError
        If a figure has no alt text that can be read from its cell.
    """
    reader = _Reader()
    for cell in code_cells(text):
        reader.read(ast.parse(cell))
    return reader.figures


class _Reader:
    """Follows the names of a page from the tables to the figures."""

    def __init__(self) -> None:
        self.imports: dict[str, str] = {}
        self.known: dict[str, tuple[Source, ...]] = {}
        self.figures: list[DrawnFigure] = []

    @property
    def room(self) -> str:
        """The room whose experiments the page runs."""
        return self.imports["experiments"].split(".")[1]

    def read(self, module: ast.Module) -> None:
        for statement in module.body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self.imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            return
        if isinstance(node, ast.FunctionDef):
            return
        if isinstance(node, ast.Assign):
            found = self._sources(node.value)
            for target in node.targets:
                self._bind(target, found)
        elif isinstance(node, ast.For):
            self._bind(node.target, self._sources(node.iter))
        for call in ast.walk(node) if not hasattr(node, "body") else ():
            if isinstance(call, ast.Call) and self._dotted(call.func) == f"{PACKAGE}.style.show":
                self._show(call)
        for inner in getattr(node, "body", ()):
            self._statement(inner)

    def _bind(self, target: ast.expr, found: tuple[Source, ...]) -> None:
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                self.known[name.id] = found

    def _show(self, call: ast.Call) -> None:
        alts = [keyword.value for keyword in call.keywords if keyword.arg == "alt"]
        function = self._dotted(call.args[0])
        if len(alts) != 1 or not isinstance(alts[0], ast.Constant):
            raise ValueError(f"the figure {function} has no alt text that stands in its cell")
        data = [*call.args[1:], *(k.value for k in call.keywords if k.arg != "alt")]
        sources = [source for value in data for source in self._sources(value)]
        alt = " ".join(alts[0].value.split())
        self.figures.append(DrawnFigure(alt, function, tuple(dict.fromkeys(sources))))

    def _sources(self, expression: ast.expr) -> tuple[Source, ...]:
        """Return what an expression was made from, tables before functions."""
        found: list[Source] = []
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                found += self.known.get(node.id, ())
            elif isinstance(node, ast.Subscript) and _is_name(node.value, "quick"):
                if isinstance(node.slice, ast.Constant):
                    found.append(Source(node.slice.value, "quick"))
            elif isinstance(node, ast.Call):
                found += self._called(node)
        tables = [source for source in found if source.tier]
        return tuple(dict.fromkeys([*tables, *(s for s in found if not s.tier)]))

    def _called(self, call: ast.Call) -> Iterator[Source]:
        name = self._dotted(call.func)
        first = call.args[0] if call.args else None
        text = first.value if isinstance(first, ast.Constant) else None
        if _is_name(call.func, "run") or name.endswith(".experiments.run_quick"):
            if text is not None:
                yield Source(f"{self.room}/{text}", "quick")
        elif name.endswith(".experiments.archived"):
            if text is not None:
                yield Source(f"{self.room}/{text}", "full")
        elif name.startswith(f"{PACKAGE}.") and not name.startswith(
            (f"{PACKAGE}.style", f"{PACKAGE}.notebook", f"{PACKAGE}.claims")
        ):
            arguments = ", ".join(ast.unparse(a) for a in call.args if isinstance(a, ast.Constant))
            yield Source(f"{name}({arguments})")

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return ""


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# --- citations --------------------------------------------------------------------------------


def _names(authors: Iterable[Mapping[str, str]]) -> list[str]:
    """Return names as BibTeX sorts them; a group's name is one word in braces."""
    return [
        f"{{{author['name']}}}"
        if "name" in author
        else f"{author['family-names']}, {author['given-names']}"
        for author in authors
    ]


def bibtex(citation: Mapping[str, Any]) -> str:
    """Return the BibTeX entry of a citation file's content."""
    fields = {
        "author": " and ".join(_names(citation["authors"])),
        "title": f"{{{citation['title']}}}",
        "version": citation["version"],
        "license": citation["license"],
        "url": citation["url"],
    }
    if "date-released" in citation:
        fields["year"] = str(citation["date-released"])[:4]
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    key = re.sub(r"\W+", "_", citation["title"].partition(":")[0].strip().lower())
    return f"@software{{{key},\n" + ",\n".join(lines) + "\n}"


def apa(citation: Mapping[str, Any]) -> str:
    """Return the citation as a line of a list of references, in the style of the APA."""
    authors = ", & ".join(name.strip("{}") for name in _names(citation["authors"]))
    year = str(citation["date-released"])[:4] if "date-released" in citation else "n.d."
    return (
        f"{authors.removesuffix('.')}. ({year}). {citation['title']} "
        f"(Version {citation['version']}) [Computer software]. {citation['url']}"
    )


def paper_entries(pages: Iterable[str], bibliography: str) -> list[str]:
    """Return the BibTeX entries of the papers that pages are about, in the order of the pages.

    Raises
    ------
    KeyError
        If the bibliography lacks one.
    """
    entries = {match[1]: match[0] for match in _ENTRY.finditer(bibliography)}
    keys = [match[1] for page in pages for match in _PAPER.finditer(page)]
    return [entries[key] for key in keys]


# --- Sphinx -----------------------------------------------------------------------------------


class Placeholder(nodes.General, nodes.Element):
    """Stands for a list until all pages have been read."""


class Collected(SphinxDirective):
    """A list of what all pages hold."""

    kind: ClassVar[str]

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder, and remember the page."""
        self.env.metadata[self.env.docname]["fl-collected"] = self.kind
        return [Placeholder(kind=self.kind)]


class StatementIndex(Collected):
    """Every numbered statement."""

    kind = "statements"


class FigureIndex(Collected):
    """Every figure."""

    kind = "figures"


class CitePapers(Collected):
    """The papers behind the chapters."""

    kind = "papers"


class CiteBook(SphinxDirective):
    """The book, from its citation file."""

    def run(self) -> list[nodes.Node]:
        """Return a line of references and a BibTeX entry."""
        path = Path(self.env.srcdir) / "CITATION.cff"
        self.env.note_dependency(str(path))
        citation = yaml.safe_load(path.read_text(encoding="utf-8"))
        line = nodes.paragraph("", apa(citation), classes=["fl-apa"])
        return [line, _listing(bibtex(citation))]


def _listing(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="bibtex")


def reading_order(env: BuildEnvironment) -> list[str]:
    """Return the names of all pages, in the order of the table of contents."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            order[name] = None
            for child in env.toctree_includes.get(name, []):
                visit(child)

    visit(env.config.root_doc)
    return list(order)


def name_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Give each cell that shows a figure a name to link to: ``figure-1`` and so on."""
    env = app.env
    names = []
    for raw in doctree.findall(nodes.raw):
        if 'class="fl-figure"' not in raw.astext():
            continue
        cell: Any = raw.parent
        while cell is not None and cell.get("nb_element") != "cell_code":
            cell = cell.parent
        if cell is None or any(name.startswith("figure-") for name in cell["ids"]):
            continue
        names.append(f"figure-{len(names) + 1}")
        cell["ids"].append(names[-1])
    env.metadata[env.docname]["fl-figures"] = names


def always_outdated(_: Sphinx, env: BuildEnvironment, *__: Any) -> list[str]:
    """Read the pages with a list again: any other page may have changed."""
    return [name for name, data in env.metadata.items() if "fl-collected" in data]


def _link(app: Sphinx, at: str, to: str, anchor: str, *content: nodes.Node) -> nodes.reference:
    address = app.builder.get_relative_uri(at, to) + (f"#{anchor}" if anchor else "")
    return nodes.reference("", "", *content, internal=True, refuri=address)


def _heading(app: Sphinx, at: str, page: str) -> nodes.rubric:
    title = [node.deepcopy() for node in app.env.titles[page].children]
    return nodes.rubric("", "", _link(app, at, page, "", *title))


def _statement_title(node: nodes.Element) -> list[nodes.Node]:
    """Return the title of a statement without the parentheses around it."""
    children = [child.deepcopy() for child in node[0].children]
    if not children:
        return []
    first, last = children[0], children[-1]
    if isinstance(first, nodes.Text):
        children[0] = nodes.Text(first.astext().removeprefix(" ("))
        last = children[-1]
    if isinstance(last, nodes.Text):
        children[-1] = nodes.Text(last.astext().removesuffix(")"))
    return [nodes.Text(": "), *children]


def statements(app: Sphinx, at: str) -> list[nodes.Node]:
    """Return the index of statements, for a page."""
    env, shown = app.env, []
    for page in reading_order(env):
        entries = []
        for node in env.get_doctree(page).findall(
            lambda n: isinstance(n, nodes.Element) and "realtype" in n
        ):
            kind, label = node["realtype"].title(), node["label"]
            number = ""
            if (figures := env.toc_fignumbers.get(page, {}).get(node["countertype"])) is not None:
                number = " " + ".".join(map(str, figures[label]))
            link = _link(app, at, page, label, nodes.Text(f"{kind}{number}"))
            line = nodes.paragraph("", "", link, *_statement_title(node))
            entries.append(nodes.list_item("", line, classes=["fl-statement"]))
            if any(line.findall(nodes.math)):
                env.get_domain("math").data["has_equations"][at] = True
        if entries:
            shown += [_heading(app, at, page), nodes.bullet_list("", *entries)]
    return shown


def figures(app: Sphinx, at: str) -> list[nodes.Node]:
    """Return the index of figures, for a page."""
    env, shown = app.env, []
    for page in reading_order(env):
        names = env.metadata.get(page, {}).get("fl-figures", [])
        if not names or page == env.config.root_doc:
            continue
        drawn = page_figures(Path(env.doc2path(page)).read_text(encoding="utf-8"))
        if len(drawn) != len(names):
            LOG.warning(
                "the cells of %s draw %d figures, the page shows %d", page, len(drawn), len(names)
            )
        entries = []
        for number, (name, figure) in enumerate(zip(names, drawn, strict=False), start=1):
            link = _link(app, at, page, name, nodes.Text(f"Figure {number}"))
            text = nodes.paragraph("", "", link, nodes.Text(f": {figure.alt}"))
            made = nodes.bullet_list("", classes=["fl-made-by"])
            for label, value in [
                *(("Data" if s.tier else "Computed by", s.command) for s in figure.sources),
                ("Drawn by", figure.function),
            ]:
                line = nodes.paragraph("", f"{label}: ")
                line += nodes.literal(value, value)
                made += nodes.list_item("", line)
            entries.append(nodes.list_item("", text, made, classes=["fl-figure-entry"]))
        shown += [_heading(app, at, page), nodes.bullet_list("", *entries)]
    return shown


def papers(app: Sphinx, _: str) -> list[nodes.Node]:
    """Return the entries of the chapters' papers."""
    env = app.env
    texts = [Path(env.doc2path(p)).read_text(encoding="utf-8") for p in reading_order(env)]
    bibliography = Path(env.srcdir, *env.config.bibtex_bibfiles[0].split("/"))
    return [_listing(e) for e in paper_entries(texts, bibliography.read_text(encoding="utf-8"))]


MAKERS = {"statements": statements, "figures": figures, "papers": papers}


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the lists where their placeholders are."""
    for placeholder in list(doctree.findall(Placeholder)):
        placeholder.replace_self(MAKERS[placeholder["kind"]](app, docname))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_node(Placeholder)
    app.add_directive("statement-index", StatementIndex)
    app.add_directive("figure-index", FigureIndex)
    app.add_directive("cite-book", CiteBook)
    app.add_directive("cite-papers", CitePapers)
    app.connect("doctree-read", name_figures)
    app.connect("env-get-outdated", always_outdated)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
