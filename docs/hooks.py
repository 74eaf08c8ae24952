"""What MkDocs does beside building the pages.

Pages link to files of the repository, as `../benchmarks/results/x.csv`. On the site,
those files lie beside the pages, in the folder `repository`. Pictures are shown as wide
as the page, and a click shows them in full size.
"""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)]*)?\))")
PICTURE = re.compile(r"!\[[^]]*\]\(([^)\s]+)\)")
PLACE = "repository"
TEXT = ".txt"  # added to Markdown, of which MkDocs would make pages


def on_files(files, config):
    """Add the files that pages link to, outside of the folder of the pages."""
    for page in list(files.documentation_pages()):
        for _, link, _ in LINK.findall(page.content_string):
            outside = _outside(page, link)
            if outside is not None and files.get_file_from_path(outside) is None:
                source = ROOT / outside.removeprefix(f"{PLACE}/").removesuffix(TEXT)
                files.append(File.generated(config, outside, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Link pictures to themselves, and such files to where they are on the site."""

    def turned(match):
        outside = _outside(page.file, match[2])
        if outside is None:
            return match[0]
        folder = posixpath.dirname(page.file.src_uri) or "."
        return match[1] + posixpath.relpath(outside, folder) + match[3]

    return LINK.sub(turned, PICTURE.sub(r"[\g<0>](\1)", markdown))


def _outside(file, link):
    """Where a file that is no part of the pages is on the site, or None."""
    path = posixpath.normpath(
        posixpath.join("docs", posixpath.dirname(file.src_uri), link)
    )
    in_pages = path.startswith("docs/") and not path.endswith(".py")
    if in_pages or not (ROOT / path).is_file():
        return None
    return f"{PLACE}/{path}" + (TEXT if path.endswith(".md") else "")
