import re

import pytest

from kdropout_dashboard import script
from kdropout_dashboard.script import STATIC, one_module

ENTRIES = ("index.js", "saved.js")


@pytest.mark.parametrize("entry", ENTRIES)
def test_nothing_is_imported_any_more(entry):
    text = one_module(entry)
    assert not re.findall(r"^\s*import\b|\bimport\(", text, re.MULTILINE)
    assert re.findall(r"^\s*export\b.*", text, re.MULTILINE) == [
        f'export const {{ render }} = modules["{entry}"];'
    ]


def test_each_file_is_used():
    used = set()
    for entry in ENTRIES:
        used.update(re.findall(r'^modules\["(.*)"\] = ', one_module(entry), re.M))
    assert used == {path.name for path in STATIC.glob("*.js")}


@pytest.mark.parametrize("entry", ENTRIES)
def test_text_cannot_end_the_script_of_a_html_page(entry):
    assert not re.search("</script|<!--", one_module(entry), re.IGNORECASE)


def test_files_come_after_those_that_they_import(monkeypatch, tmp_path):
    (tmp_path / "a.js").write_text(
        'import { twice } from "./b.js";\nimport {\n  ONE,\n} from "./c.js";\n\n'
        "export function three() {\n  return twice(ONE) + ONE;\n}\n"
    )
    (tmp_path / "b.js").write_text(
        'import { ONE } from "./c.js";\n\n'
        "export function twice(x) {\n  return (ONE + ONE) * x;\n}\n"
    )
    (tmp_path / "c.js").write_text("export const ONE = 1;\n")
    monkeypatch.setattr(script, "STATIC", tmp_path)
    assert one_module("a.js") == (
        "const modules = {};\n"
        'modules["c.js"] = (() => {\nconst ONE = 1;\nreturn { ONE };\n})();\n'
        'modules["b.js"] = (() => {\nconst { ONE } = modules["c.js"];\n\n'
        "function twice(x) {\n  return (ONE + ONE) * x;\n}\nreturn { twice };\n})();\n"
        'modules["a.js"] = (() => {\nconst { twice } = modules["b.js"];\n'
        'const {\n  ONE,\n} = modules["c.js"];\n\n'
        "function three() {\n  return twice(ONE) + ONE;\n}\nreturn { three };\n})();\n"
        'export const { three } = modules["a.js"];\n'
    )
