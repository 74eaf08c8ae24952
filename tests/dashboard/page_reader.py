"""Reads and operates the page of the Dropout tab like its user."""

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE = 20


class PageReader:
    """Finds elements of the page by their `data-testid`, and operates them."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address, testid="run-picker"):
        """Go to an address, and wait until an element is there."""
        self.driver.get(address)
        self.wait(lambda: self.all(testid))

    def open_tab(self, address, dark=False):
        """Go to the tab in a TensorBoard, and into its frame, which is returned."""
        self.driver.switch_to.default_content()
        self.driver.get("about:blank")  # an address that differs by '#' loads nothing
        self.driver.get(f"{address}/?darkMode={str(dark).lower()}#kdropout")
        return self.enter_tab()

    def enter_tab(self):
        """Go into the frame of the tab in an open TensorBoard, which is returned."""
        selector = "iframe[src*=kdropout]"
        (frame,) = self.wait(
            lambda: self.driver.find_elements(By.CSS_SELECTOR, selector)
        )
        self.driver.switch_to.frame(frame)
        return frame

    def wait(self, question):
        """Return the result of `question` as soon as it is true."""
        return WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: question())

    def all(self, testid, inside=""):
        """Return the elements with a test id, or those inside of them by a selector."""
        selector = f'[data-testid="{testid}"] {inside}'
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, testid, inside=""):
        """Return the only element with a test id."""
        (element,) = self.all(testid, inside)
        return element

    def text(self, testid):
        """Return the visible text of an element."""
        return self.one(testid).text

    def paths(self):
        """Return the paths of the rows of the table of layers."""
        return [row.get_dom_attribute("data-path") for row in self.all("layer-row")]

    def choose_run(self, name, kind="training"):
        """Choose a run, and wait until it is drawn."""
        Select(self.one("run-picker")).select_by_value(f"{kind}:{name}")
        self.wait(lambda: self.all(kind))

    def hover(self, element, left, top):
        """Point at a place inside an element, in shares of its width and height."""
        box = element.rect
        right, down = box["width"] * (left - 0.5), box["height"] * (top - 0.5)
        chain = self._chain()
        chain.move_to_element_with_offset(element, int(right), int(down)).perform()

    def drag(self, element, start, end):
        """Drag from one place inside an element to another, in shares of its width."""
        box = element.rect
        first, second = (int(box["width"] * (place - 0.5)) for place in (start, end))
        chain = self._chain().move_to_element_with_offset(element, first, 0)
        chain.click_and_hold().move_by_offset((second - first) // 2, 0)
        chain.move_by_offset(second - first - (second - first) // 2, 0)
        chain.release().perform()

    def drag_down(self, element, start, end):
        """Drag inside an element from one height to another, in shares from its top."""
        box = element.rect
        first, second = (int(box["height"] * (place - 0.5)) for place in (start, end))
        chain = self._chain().move_to_element_with_offset(element, 0, first)
        chain.click_and_hold().move_by_offset(0, (second - first) // 2)
        chain.move_by_offset(0, second - first - (second - first) // 2)
        chain.release().perform()

    def set(self, testid, value):
        """Set the value of an input field, like its user."""
        self.driver.execute_script(
            "const [field, value] = arguments; field.value = value;"
            "for (const name of ['input', 'change'])"
            "  field.dispatchEvent(new Event(name, { bubbles: true }));",
            self.one(testid),
            value,
        )

    def download(self, folder, testid, kind):
        """Download a file of a section, and return its bytes."""
        (button,) = (
            one for one in self.all(testid, ".downloads button") if one.text == kind
        )
        return self.download_by(folder, button, kind.lower())

    def download_by(self, folder, button, suffix):
        """Download a file by a button, and return its bytes."""
        behaviour = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        button.click()

        def finished():
            files = list(folder.glob(f"*.{suffix}"))
            return files and files[0].stat().st_size and files[0]

        file = self.wait(finished)
        content = file.read_bytes()
        file.unlink()
        return content

    def press(self, testid, *keys):
        """Press keys, by their names in Selenium, in the element with a test id."""
        self.press_in(self.one(testid), *keys)

    def press_in(self, element, *keys):
        """Press keys in an element that the keyboard reaches."""
        self.driver.execute_script("arguments[0].focus()", element)
        self._chain().send_keys(*(getattr(Keys, key) for key in keys)).perform()

    def press_keys(self, *keys):
        """Press keys where the focus is."""
        self._chain().send_keys(*(getattr(Keys, key) for key in keys)).perform()

    def colour(self, left, top):
        """Return [red, green, blue, alpha] of the heat map at a place, in shares."""
        return self.driver.execute_script(
            "const [canvas, left, top] = arguments;"
            "return Array.from(canvas.getContext('2d').getImageData("
            "  left * canvas.width, top * canvas.height, 1, 1).data);",
            self.one("heat-map", "canvas"),
            left,
            top,
        )

    def _chain(self):
        return ActionChains(self.driver, duration=0)
