"""The page of the Dropout tab as one file with its data, which needs only a browser."""

import base64
import hashlib
import json

from kdropout_dashboard.script import STATIC, one_module

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dropout rates</title>
<style>{style}</style>
<script type="application/json">{data}</script>
<script type="module">{script}</script>
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
    script = one_module("saved.js") + "render();\n"
    # Allow only this script and this style, and no addresses or forms. A download of a
    # picture draws an image from the page itself.
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    # Escape "<", so that a name cannot end the script that contains it.
    data = json.dumps(payloads, allow_nan=False).replace("<", "\\u003c")
    return _PAGE.format(policy=policy, style=style, data=data, script=script)


def _hash(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
