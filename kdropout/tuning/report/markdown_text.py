"""Markdown from texts that others wrote."""

import re

from kdropout.tuning.report.pictures import FILES

# More rows of failures than these are left to report.json.
MOST_FAILURES = 10

CAPTIONS = {
    "trials": "Scores in the order of the trials",
    "importance": "Importance of each layer",
    "marginals": "Expected score over the rate of each layer",
    "confirmation": "Gains, paired by seed",
}


def escape(text):
    """Text of others, such as the name of a layer, that Markdown must not read.

    >>> escape("a|b <i> drop_1 *x*")
    'a\\\\|b &lt;i&gt; drop_1 \\\\*x\\\\*'
    """
    text = " ".join(text.split())
    text = re.sub(r"([\\`*\[\]|~#$])", r"\\\1", text)
    # Within a word, an underscore is one.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code_block(code):
    """Code between fences longer than any in it."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"


def picture(name):
    """A picture of `pictures.FILES`."""
    return f"![{CAPTIONS[name]}]({FILES[name]})"


def table(header, rows):
    """A table, from cells that are escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
