"""Extends MkDocs.

- Pages link to files of the repository, for example `../benchmarks/results/x.csv`. The
  site has copies of these files in the folder `repository`. `CONTRIBUTING.md` and
  others become pages.
- The names of public classes and functions link to the reference.
- Reference pages begin with a table of summaries, in the place of `<!-- summary -->`.
- Formulas between dollars become MathML, which browsers draw without a script.
- A click on a picture shows it in full size.
- Pages get the words of `search_words` in `mkdocs.yml`, so that the search finds them.
"""

import html
import pathlib
import posixpath
import re

from latex2mathml import converter
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)]*)?\))")
# Code of the tests, see tests/docs/test_pages.py.
HIDDEN = re.compile(r"<!-- hidden\n.*?-->\n?", re.DOTALL)
PICTURE = re.compile(r"!\[[^]]*\]\(([^)\s]+)\)")
COPIES = "repository"
TEXT = ".txt"  # appended to Markdown files, which MkDocs would build as pages
# Files of the repository that become pages.
PAGES = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changes.md",
    "RELEASING.md": "project/releases.md",
    "SECURITY.md": "project/security.md",
}
SOURCES = {page: source for source, page in PAGES.items()}

FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\s*\\[(\[](.*?)\\[)\]]\s*</\1>', re.DOTALL
)

DIRECTIVE = re.compile(r"^::: (kdropout[\w.]*)$", re.MULTILINE)
# In links, headings and blocks of code, names stay as they are.
NAME = re.compile(
    r"<(a|h[1-6]|pre|autoref)\b.*?</\1>|<code>([\w.]+)((?:\(\))?)</code>", re.DOTALL
)
# Without a prefix, these may be Keras's or KerasTuner's classes.
AMBIGUOUS = {
    "AlphaDropout",
    "BayesianOptimization",
    "Dropout",
    "GaussianDropout",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
}
# Functions whose names are ordinary words get a link only with a prefix.
WORDS = {"convert", "insert", "strip"}

SUMMARY = "<!-- summary -->"
ENTRY = re.compile(
    r'<h3 id="([\w.]+)" class="doc doc-heading">.*?</h3>.*?'
    r'<div class="doc doc-contents[^>]*>.*?<p>(.*?)</p>',
    re.DOTALL,
)


def on_config(config):
    """Show no links for editing while there is no address of a repository."""
    if not config.repo_url:
        config.edit_uri = None
    return config


def on_files(files, config):
    """Add the files outside of `docs/` that pages link to."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for page in list(files.documentation_pages()):
        for _, link, _ in LINK.findall(page.content_string):
            copy = _place(page, link)
            if copy and copy.startswith(COPIES) and not files.get_file_from_path(copy):
                source = ROOT / copy.removeprefix(f"{COPIES}/").removesuffix(TEXT)
                files.append(File.generated(config, copy, abs_src_path=str(source)))
    return files


def on_nav(nav, config, files):
    """Learn the public names from the directives of the reference pages."""
    config.extra["public_names"] = {
        identifier
        for page in files.documentation_pages()
        if page.src_uri.startswith("api/")
        for identifier in DIRECTIVE.findall(page.content_string)
    }
    return nav


def on_page_markdown(markdown, page, config, files):
    """Add search words, link pictures to themselves and correct links to files."""
    words = config.extra["search_words"].get(page.file.src_uri)
    if words:
        page.meta["tags"] = words
    folder = posixpath.dirname(page.file.src_uri) or "."

    def corrected(match):
        place = _place(page.file, match[2])
        if place is None:
            return match[0]
        return match[1] + posixpath.relpath(place, folder) + match[3]

    markdown = PICTURE.sub(r"[\g<0>](\1)", HIDDEN.sub("", markdown))
    return LINK.sub(corrected, markdown)


def on_page_content(content, page, config, files):
    """Write formulas as MathML, link public names and fill the table of summaries."""
    content = FORMULA.sub(_mathml, content)
    if SUMMARY in content:
        rows = "".join(
            f'<tr><td><a href="#{name}"><code>{name.rsplit(".", 1)[-1]}</code></a></td>'
            f"<td>{summary}</td></tr>"
            for name, summary in ENTRY.findall(content)
        )
        head = "<thead><tr><th>Name</th><th>What it does</th></tr></thead>"
        table = f"<table>{head}<tbody>{rows}</tbody></table>"
        content = content.replace(SUMMARY, table)
    return _link_names(content, config.extra["public_names"], page.file.src_uri)


def _place(file, link):
    """Where the site has the target of a link, or None if the link is right."""
    source = SOURCES.get(file.src_uri, f"docs/{file.src_uri}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/") and not path.endswith(".py"):
        return path.removeprefix("docs/") if file.src_uri in SOURCES else None
    if not (ROOT / path).is_file():
        return None
    return f"{COPIES}/{path}" + (TEXT if path.endswith(".md") else "")


def _mathml(match):
    display = "inline" if match[1] == "span" else "block"
    latex = html.unescape(match[2]).strip()
    # latex2mathml does not know the environment `aligned`.
    formula = converter.convert(latex.replace("{aligned}", "{align*}"), display=display)
    if "\\" in formula or "<mi>&</mi>" in formula:
        raise PluginError(f"latex2mathml does not know a part of the formula: {latex}")
    return formula if display == "inline" else f'<div class="formula">{formula}</div>'


def _link_names(content, public_names, src_uri):
    """Link a name to the reference, in a guide only where it stands first."""
    by_name = {}
    for identifier in public_names:
        parts = identifier.split(".")
        for first in range(len(parts)):
            by_name[".".join(parts[first:])] = identifier
        name = parts[-1]
        is_known = name[0].isupper() or "_" in name or name in WORDS
        if name in AMBIGUOUS or not is_known:
            del by_name[name]
    linked = set()

    def link(match):
        identifier = by_name.get(match[2])
        if identifier is None or identifier in linked:
            return match[0]
        if not src_uri.startswith("api/"):
            linked.add(identifier)
        code = f"<code>{match[2]}{match[3]}</code>"
        return f'<autoref identifier="{identifier}" optional>{code}</autoref>'

    return NAME.sub(link, content)
