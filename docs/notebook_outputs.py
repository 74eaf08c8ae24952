"""Runs examples/notebook.ipynb from top to bottom and keeps its outputs in the file.

    python docs/notebook_outputs.py             # about two minutes

Messages of TensorFlow are left out, and pictures have 64 colours, so that the file is
small. The second picture also becomes docs/plot_history.png.
Needs in a clone: pip install ".[test]"
"""

import base64
import io
import pathlib
import tempfile

import nbclient
import nbformat
from PIL import Image

NOTEBOOK = pathlib.Path(__file__).parents[1] / "examples" / "notebook.ipynb"
PICTURE = pathlib.Path(__file__).parent / "plot_history.png"


def main():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        run(notebook, folder)
    for cell in notebook.cells:
        cell.metadata.clear()  # the times of the run
        if cell.cell_type == "code":
            cell.outputs = [*map(small, joined(cell.outputs))]
    pictures = [
        output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    PICTURE.write_bytes(base64.b64decode(pictures[1]))
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, NOTEBOOK)


def run(notebook, folder):
    """Run all cells in a new kernel, whose current folder is `folder`."""
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()


def joined(outputs):
    """The outputs with one text in place of many, without messages of TensorFlow."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if "absl::InitializeLog" in output.text:
                continue
            if kept and kept[-1].get("name") == output.name:
                kept[-1].text += output.text
                continue
        kept.append(output)
    return kept


def small(output):
    """The output with a picture of 64 colours."""
    png = output.get("data", {}).get("image/png")
    if png:
        image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
        file = io.BytesIO()
        image.quantize(64).save(file, "PNG", optimize=True)
        output.data["image/png"] = base64.b64encode(file.getvalue()).decode()
    return output


if __name__ == "__main__":
    main()
