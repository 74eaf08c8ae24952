"""Takes the screenshots for docs/tensorboard.md, from the logs of an example.

    python -m docs.screenshots

This takes about a minute. It needs the extra `test`, Chromium and its chromedriver
(Debian: chromium, chromium-driver). The script writes docs/tensorboard_*.png.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from tests.dashboard import browser as browsers
from tests.dashboard.board import start_tensorboard
from tests.dashboard.page_reader import PageReader

FOLDER = pathlib.Path(__file__).parent
EXAMPLE = FOLDER.parent / "examples" / "07_tensorboard.py"
WIDTH, HEIGHT = 1300, 1080


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([sys.executable, EXAMPLE], cwd=folder, check=True)
        logs = folder / "kdropout-demo" / "logs"
        with start_tensorboard(logs, folder / "output.txt") as board:
            with browsers.chromium(folder) as driver:
                driver.set_window_size(WIDTH, HEIGHT)
                photograph(driver, board, is_dark=True)
                photograph(driver, board, is_dark=False)


def photograph(driver, board, is_dark):
    """Save a screenshot of each view in light, or of a training in dark."""
    reader, look = PageReader(driver), "dark" if is_dark else "light"
    frame = reader.open_tab(board.address, is_dark)

    def save(name):
        driver.switch_to.default_content()
        driver.save_screenshot(str(FOLDER / f"tensorboard_{name}_{look}.png"))
        driver.switch_to.frame(frame)

    reader.wait(lambda: len(reader.all("run-picker", "option")) == 4)
    time.sleep(1)  # until TensorBoard's own bar stops moving
    reader.choose_run("controlled")
    reader.hover(reader.one("score-chart", ".area"), 0.66, 0.25)
    save("training")
    if not is_dark:
        reader.one("compare", "summary").click()
        for count, name in enumerate(("fixed", "scheduled"), 2):
            reader.one("compare", f"input[value={name}]").click()
            reader.wait(lambda count=count: len(reader.all("run-row")) == count)
        reader.one("compare", "summary").click()
        reader.hover(reader.one("score-chart", ".area"), 0.66, 0.25)
        save("comparison")
        reader.choose_run("search", "search")
        save("search")
    driver.switch_to.default_content()


if __name__ == "__main__":
    main()
