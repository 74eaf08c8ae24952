"""Draws the badges of the README from setup.cfg.

    python docs/badges.py

Writes docs/badges/*.svg. They lie in the repository, so that a page loads nothing from
another host, and a test compares them with setup.cfg, so that they stay true.
"""

import configparser
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "badges"
CHARACTER, PADDING = 6.6, 12  # pixels, of a font of 11 pixels
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" \
aria-label="{label}: {value}">
<title>{label}: {value}</title>
<clipPath id="round"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" \
text-anchor="middle" fill="#fff">
<rect width="{left}" height="20" fill="#444"/>
<rect x="{left}" width="{right}" height="20" fill="#3949ab"/>
<text x="{left_middle}" y="14" textLength="{left_text}">{label}</text>
<text x="{right_middle}" y="14" textLength="{right_text}">{value}</text>
</g>
</svg>
"""


def badges():
    """A dict from the name of a file to its text."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    classifiers = config["metadata"]["classifiers"]
    pythons = re.findall(r"Python :: (3\.\d+)", classifiers)
    keras = re.search(r"^keras>=(\S+)$", config["options"]["install_requires"], re.M)
    texts = {
        "python": ("Python", f"{pythons[0]} to {pythons[-1]}"),
        "keras": ("Keras", f"{keras[1]} and newer"),
        "backends": ("backends", "TensorFlow, JAX, PyTorch"),
        "license": ("licence", config["metadata"]["license"]),
    }
    return {f"{name}.svg": _draw(*text) for name, text in texts.items()}


def _draw(label, value):
    left_text, right_text = (round(CHARACTER * len(text)) for text in (label, value))
    left, right = left_text + PADDING, right_text + PADDING
    return SVG.format(
        label=label,
        value=value,
        width=left + right,
        left=left,
        right=right,
        left_text=left_text,
        right_text=right_text,
        left_middle=left / 2,
        right_middle=left + right / 2,
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in badges().items():
        (FOLDER / name).write_text(text)
