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
    calls = {}
    _add(entry, calls)
    exports = _exports((STATIC / entry).read_text("utf-8"))
    return "\n".join(
        [
            "const modules = {};",
            *calls.values(),
            f'export const {exports} = modules["{entry}"];\n',
        ]
    )


def _add(name, calls):
    """Add the call for a file after the calls for those that it imports."""
    if name in calls:
        return
    text = (STATIC / name).read_text("utf-8")
    for _, imported in _IMPORT.findall(text):
        _add(imported, calls)
    body = _EXPORT.sub("", _IMPORT.sub(r'const \1 = modules["\2"];', text))
    calls[name] = (
        f'modules["{name}"] = (() => {{\n{body}return {_exports(text)};\n}})();'
    )


def _exports(text):
    return f"{{ {', '.join(_EXPORT.findall(text))} }}"
