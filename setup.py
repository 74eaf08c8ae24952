"""The parts of the metadata that depend on the address of the repository.

The package index shows the README, where links to files of the repository do not work.
To make them absolute, set the environment variable KDROPOUT_REPOSITORY to the address
when you build a release. Otherwise the description leaves these pictures and links out.
"""

import os
import pathlib
import re
import runpy

import setuptools

FOLDER = pathlib.Path(__file__).parent
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
PICTURE = re.compile(r"!\[([^]]*)\]\((?!\w+:)([^)]+)\)")
LINK = re.compile(r"(?<!!)\[([^]]*(?:\[[^]]*\]\([^)]*\))?)\]\((?![\w]+:|#)([^)]+)\)")


def description(readme, repository, version):
    """Return the README with absolute links, or without those that would be broken."""
    text = COMMENT.sub("", readme)
    if repository:
        text = PICTURE.sub(rf"![\1]({repository}/raw/v{version}/\2)", text)
        return LINK.sub(rf"[\1]({repository}/blob/v{version}/\2)", text)
    return LINK.sub(r"\1", PICTURE.sub("", text))


def project_urls(repository, version):
    if not repository:
        return {}
    files = f"{repository}/blob/v{version}"
    return {
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{files}/CHANGELOG.md",
        "Documentation": f"{files}/docs/index.md",
    }


if __name__ == "__main__":
    repository = os.environ.get("KDROPOUT_REPOSITORY", "").rstrip("/")
    version = runpy.run_path(str(FOLDER / "kdropout" / "version.py"))["__version__"]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    setuptools.setup(
        long_description=description(readme, repository, version),
        long_description_content_type="text/markdown",
        project_urls=project_urls(repository, version),
    )
