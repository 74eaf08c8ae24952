"""The page of the Dropout tab as one file with its data, which needs only a browser."""

import base64
import hashlib
import json
import pathlib
import re

STATIC = pathlib.Path(__file__).parent / "static"

# Matches an import, in the single form that the modules use.
_IMPORT = re.compile(r'(?<= from ")\./(?=[a-z_]+\.js";)')

# A module in a data URL has no folder, so "./name.js" would not resolve.
_PREFIX = "kdropout/"

_START = f'import {{ render }} from "{_PREFIX}saved.js";\nrender();\n'

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dropout rates</title>
<style>{style}</style>
<script type="importmap">{modules}</script>
<script type="application/json">{data}</script>
<script type="module">{start}</script>
</head>
<body></body>
</html>
"""


def render(payloads):
    """Return the text of an HTML file that shows `payloads` without any connection.

    Args:
        payloads: Dict with these keys:

            - "runs": list, the result of the route `runs` of the plugin.
            - "trainings" and "searches": dicts from the name of a run to the result of
              the route `training` or `search`.
            - "answers" (optional): dict from the name of a search to the texts with
              which the page begins: "verdict", "advice", "code" and "next_step", and to
              "gains", the intervals of a confirmation. Each of them is optional.

    Returns:
        String.

    Raises:
        ValueError: If a number in `payloads` is NaN or infinite.
    """
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    modules = json.dumps({"imports": _modules()})
    # Allow only these scripts and this style, and no addresses or forms. A download of
    # a picture draws an image from the page itself.
    policy = (
        f"default-src 'none'; script-src data: {_hash(modules)} {_hash(_START)}; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    # Escape "<", so that a name cannot end the script that contains it.
    data = json.dumps(payloads, allow_nan=False).replace("<", "\\u003c")
    return _PAGE.format(
        policy=policy, style=style, modules=modules, data=data, start=_START
    )


def _modules():
    """Dict from the import name of each module of the page to its data URL."""
    return {
        _PREFIX + path.name: _data_url(_IMPORT.sub(_PREFIX, path.read_text("utf-8")))
        for path in sorted(STATIC.glob("*.js"))
    }


def _data_url(text):
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()


def _hash(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
