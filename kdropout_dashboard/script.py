"""The JavaScript modules of the page as one module.

A browser requests one file of TensorBoard, instead of sixty that it finds one after
another.
"""

import pathlib
import re

# The files of the page.
STATIC = pathlib.Path(__file__).parent / "static"

# The single forms of import and export that the modules use.
_IMPORT = re.compile(r'^import (\{[\w\s,]+\}) from "\./([a-z_]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const) (\w+))", re.MULTILINE)


def one_module(entry):
    """Return the text of a module that contains `entry` and all that it imports.

    Each file becomes a function, which is called once and returns its exports. So files
    must not import each other in a circle.

    Args:
        entry: String, the name of the file in `STATIC` whose exports the module has.

    Returns:
        String.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    texts = {}
    _collect(entry, texts)
    return "\n".join(
        [
            "const modules = {};",
            *[_as_call(name, text) for name, text in texts.items()],
            f'export const {_exports(texts[entry])} = modules["{entry}"];\n',
        ]
    )


def _collect(name, texts):
    """Add the text of a file after the texts of those that it imports."""
    if name in texts:
        return
    text = (STATIC / name).read_text("utf-8")
    for _, imported in _IMPORT.findall(text):
        _collect(imported, texts)
    texts[name] = text


def _as_call(name, text):
    body = _EXPORT.sub("", _IMPORT.sub(r'const \1 = modules["\2"];', text))
    return f'modules["{name}"] = (() => {{\n{body}return {_exports(text)};\n}})();'


def _exports(text):
    return f"{{ {', '.join(_EXPORT.findall(text))} }}"
