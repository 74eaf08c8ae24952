"""The page of the Dropout tab, as its reader uses it."""

# Selenium is imported where it is used: without it, the fixture of the browser says so.
PATIENCE = 20


class PageReader:
    """Finds and does what a reader can, by the page's `data-testid`s."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address, testid="run-picker"):
        """Go to an address, and wait until an element is there."""
        self.driver.get(address)
        self.wait(lambda: self.all(testid))

    def wait(self, question):
        """What `question` returns as soon as it is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: question())

    def all(self, testid, inside=""):
        """The elements with a test id, or what lies inside of them by a selector."""
        selector = f'[data-testid="{testid}"] {inside}'
        return self.driver.find_elements("css selector", selector)

    def one(self, testid, inside=""):
        """The only element with a test id."""
        (element,) = self.all(testid, inside)
        return element

    def text(self, testid):
        """The text of an element, as a user reads it."""
        return self.one(testid).text

    def paths(self):
        """The paths of the rows of the table of layers."""
        return [row.get_dom_attribute("data-path") for row in self.all("layer-row")]

    def choose_run(self, name, kind="training"):
        """Choose a run, and wait until it is drawn."""
        from selenium.webdriver.support.ui import Select

        Select(self.one("run-picker")).select_by_value(f"{kind}:{name}")
        self.wait(lambda: self.all(kind))

    def hover(self, element, left, top):
        """Point at a place inside an element, in shares of its width and height."""
        box = element.rect
        right, down = box["width"] * (left - 0.5), box["height"] * (top - 0.5)
        chain = self._chain()
        chain.move_to_element_with_offset(element, int(right), int(down)).perform()

    def press(self, testid, *keys):
        """Press keys, by their names in Selenium, in the element with a test id."""
        self.press_in(self.one(testid), *keys)

    def press_in(self, element, *keys):
        """Press keys in an element that the keyboard reaches."""
        from selenium.webdriver.common.keys import Keys

        self.driver.execute_script("arguments[0].focus()", element)
        self._chain().send_keys(*(getattr(Keys, key) for key in keys)).perform()

    def colour(self, left, top):
        """[red, green, blue, alpha] of the heat map at a place, in shares."""
        return self.driver.execute_script(
            "const [canvas, left, top] = arguments;"
            "return Array.from(canvas.getContext('2d').getImageData("
            "  left * canvas.width, top * canvas.height, 1, 1).data);",
            self.one("heat-map", "canvas"),
            left,
            top,
        )

    def _chain(self):
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.driver, duration=0)
