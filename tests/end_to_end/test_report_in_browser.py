"""report.html as a reader sees it: opened in Chromium, without a screen, and used."""

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from apo_train import ApoTrainTest, patience

try:
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select
except ImportError:
    webdriver = None
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

GRID = ("--set", "name=grid", "--set", "grid={optimizer.name: [sgd, adam], seed: [0, 1]}", "--set", "dataset.validation_share=0.2")
LAYERS = ("--set", "name=layers", "--set", "tuner.scope=per_layer", "--set", "train.average.half_life=0.3")
DIVERGED = ("--set", "name=rates", "--set", "tuner={name: constant}", "--set", "grid.optimizer.learning_rate=[0.1, 1e20]")

# Of a canvas: how many pixels have the colour [r, g, b], if one is given; else a number that another picture will hardly have.
PIXELS = """
const [canvas, colour] = arguments;
const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
const context = copy.getContext('2d', { willReadFrequently: true });
context.drawImage(canvas, 0, 0);
const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
let count = 0, hash = 0;
for (let i = 0; i < data.length; i += 4) {
  if (!colour) hash = (31 * hash + data[i] + 3 * data[i + 1] + 7 * data[i + 2] + data[i + 3]) % 1000000007;
  else if (data[i + 3] > 250 && colour.every((c, k) => Math.abs(data[i + k] - c) < 10)) ++count;
}
return colour ? count : hash;
"""
# Of each element with words of its own that is seen: [words, its colour, what it lies on].
WORDS = """
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const found = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(found)) return found;
  }
};
return [...document.querySelectorAll('body *:not(script):not(noscript)')]
  .filter(e => e.checkVisibility() && [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()))
  .map(e => [e.textContent, getComputedStyle(e).color, behind(e)]);
"""
# Of what has no scroll bar of its own, the right edge that is farthest right.
EDGE = """
return Math.max(...[...document.querySelectorAll('body *')].filter(e => !e.parentElement.closest('.wide, .keys') && e.checkVisibility())
  .map(e => e.getBoundingClientRect().right));
"""


def rgb(css):
    """[r, g, b] of a computed colour."""
    return [int(part) for part in css[css.index("(") + 1:css.index(")")].split(",")[:3]]


def contrast(one, other):
    """Source: WCAG 2.2, contrast ratio."""
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def start_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions"):
        options.add_argument(argument)
    if os.geteuid() == 0:  # Chromium's own sandbox is not for root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(service=Service(DRIVER), options=options)
    browser.set_page_load_timeout(patience(30))
    return browser


def load(browser, address):
    """On a machine that is very busy Chromium has been seen to lose a navigation; once more, then."""
    try:
        browser.get(address)
    except TimeoutException:
        browser.get(address)


@unittest.skipUnless(webdriver and CHROMIUM and DRIVER,
                     "no Chromium that Python can drive: apt-get install chromium chromium-driver python3-selenium (scripts/setup.sh --dev)")
class Page(ApoTrainTest):
    pages = browser = None  # made once for all tests

    def setUp(self):
        super().setUp()
        if Page.browser is None:
            Page.pages = tempfile.TemporaryDirectory()
            unittest.addModuleCleanup(Page.pages.cleanup)
            for settings, code in ((GRID, 0), (LAYERS, 0), (DIVERGED, 5)):
                result = self.start(*settings)
                self.assertEqual(result.returncode, code, result.stderr)
            shutil.copytree(self.folder / "runs", Page.pages.name, dirs_exist_ok=True)
            Page.browser = start_browser()
            unittest.addModuleCleanup(Page.browser.quit)
        self.show_as(1440, "light")

    def show_as(self, width, scheme, height=900):
        size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, name, expect_errors=False):
        load(self.browser, (Path(self.pages.name) / name / "report.html").as_uri())
        errors = [entry["message"] for entry in self.browser.get_log("browser")]
        if not expect_errors:
            self.assertEqual(errors, [])
            self.addCleanup(lambda: self.assertEqual([entry["message"] for entry in self.browser.get_log("browser")], []))
        return errors

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def panels(self):
        """Title → canvas."""
        return {panel.find_element(By.TAG_NAME, "h2").text.split("\n")[0]: panel.find_element(By.TAG_NAME, "canvas") for panel in self.all(".panel")}

    def colour_of(self, key):
        return rgb(key.find_element(By.TAG_NAME, "path").value_of_css_property("stroke"))

    def pixels(self, canvas, colour):
        return self.browser.execute_script(PIXELS, canvas, colour)

    def picture(self, canvas):
        return self.browser.execute_script(PIXELS, canvas)

    def keys(self):
        return self.all("#keys button[aria-pressed]")

    def rows(self, table):
        """Cells' words, the head first."""
        return [[cell.get_attribute("textContent").strip() for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
                for row in self.all(f"{table} tr")]


class Drawn(Page):
    def test_every_run_has_its_curve_in_every_panel(self):
        self.open("grid")
        self.assertEqual(list(self.panels()), ["Training loss", "Test loss", "Test accuracy, %", "Learning rate η"])
        self.assertEqual(len(self.keys()), 4)
        for title, canvas in self.panels().items():
            drawn = [self.pixels(canvas, self.colour_of(key)) for key in self.keys()]
            # Of two seeds' learning rates one may lie over the other.
            self.assertGreaterEqual(sum(count > 20 for count in drawn), 2 if title.startswith("Learning") else 4, (title, drawn))

    def test_a_run_that_is_switched_off_is_gone_until_it_is_switched_on(self):
        self.open("grid")
        key, canvas = self.keys()[0], self.panels()["Training loss"]
        colour, others = self.colour_of(key), [self.colour_of(other) for other in self.keys()[1:]]
        before = self.pixels(canvas, colour)
        key.click()
        ActionChains(self.browser).move_to_element(self.one("h1")).perform()  # off the key, which emphasizes its run
        self.assertEqual((self.pixels(canvas, colour), key.get_attribute("aria-pressed")), (0, "false"))
        self.assertGreater(min(self.pixels(canvas, other) for other in others), 20)
        key.click()
        ActionChains(self.browser).move_to_element(self.one("h1")).perform()
        self.assertAlmostEqual(self.pixels(canvas, colour), before, delta=0.2 * before)
        self.one("#keys button").click()  # none
        self.assertEqual([self.pixels(canvas, other) for other in [colour, *others]], [0] * 4)
        self.one("#keys button").click()  # all
        self.assertGreater(self.pixels(canvas, colour), 20)

    def test_axis_single_batches_and_pointer_change_the_picture(self):
        self.open("grid")
        loss, test = (self.panels()[title] for title in ("Training loss", "Test loss"))
        seen = [self.picture(loss)]
        for axis in ("epochs", "seconds"):
            Select(self.one("#axis")).select_by_visible_text(axis)
            seen.append(self.picture(loss))
        self.assertEqual(len(set(seen)), 3)
        untouched = self.picture(test)
        self.one("#batches input").click()
        self.assertNotEqual(self.picture(loss), seen[-1])
        self.assertIn("pale: single batches", self.one(".panel h2").text)
        self.assertEqual(self.picture(test), untouched)
        ActionChains(self.browser).move_to_element(test).perform()
        self.browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        self.assertNotEqual(self.picture(test), untouched)  # the values under the pointer

    def test_dotted_curves_are_explained(self):
        self.open("grid")
        self.assertIn("dotted: validation set", self.all(".panel h2")[1].text)
        self.open("layers")
        self.assertIn("averaged weights", self.all(".panel h2")[1].text)

    def test_the_layers_of_a_single_run_are_switched(self):
        self.open("layers")
        self.assertEqual(self.keys(), [])
        canvas = self.panels()["Learning rate η of each layer"]
        keys = self.all(".panel button")
        self.assertEqual([key.text for key in keys], ["fc1", "fc2"])
        colour = self.colour_of(keys[1])
        self.assertGreater(self.pixels(canvas, colour), 20)
        keys[1].click()
        self.assertEqual(self.pixels(canvas, colour), 0)

    def test_keys_work_without_a_mouse(self):
        self.open("grid")
        for _ in range(4):  # axis, batches, all, the first run
            ActionChains(self.browser).send_keys(Keys.TAB).perform()
        key = self.browser.switch_to.active_element
        self.assertEqual(key, self.keys()[0])
        ActionChains(self.browser).send_keys(Keys.SPACE).perform()
        self.assertEqual(key.get_attribute("aria-pressed"), "false")
        self.assertEqual(self.pixels(self.panels()["Training loss"], self.colour_of(key)), 0)

    def test_a_script_that_breaks_is_seen_by_these_tests(self):
        page = Path(self.pages.name) / "grid/report.html"
        for broken in ("fillPage()", "new Chart(", "JSON.parse("):
            self.assertIn(broken, page.read_text())
            (Path(self.pages.name) / "broken").mkdir(exist_ok=True)
            (Path(self.pages.name) / "broken/report.html").write_text(page.read_text().replace(broken, "no" + broken))
            with self.subTest(broken=broken):
                self.assertNotEqual(self.open("broken", expect_errors=True), [])


class Told(Page):
    def test_the_table_has_the_numbers_of_the_summaries(self):
        self.open("grid")
        head, *rows = self.rows("#numbers")
        self.assertEqual(len(rows), 4)
        for row in rows:
            cells = dict(zip(head, row))
            final = self.summary(cells["run"])["final"]
            self.assertEqual(cells["status"], "finished")
            self.assertAlmostEqual(float(cells["train loss"]), final["train"]["loss"], delta=1e-3 * final["train"]["loss"])
            self.assertEqual(cells["test accuracy"], f"{100 * final['test']['accuracy']:.2f} %")
            self.assertEqual(cells["validation accuracy"], f"{100 * final['validation']['accuracy']:.2f} %")

    def summary(self, run):
        return json.loads((Path(self.pages.name) / "grid" / run / "summary.json").read_text())

    def test_settings_that_differ_stand_side_by_side_and_the_shared_ones_on_demand(self):
        self.open("grid")
        head, *rows = self.rows("#differences")
        for row in rows:
            cells = dict(zip(head, row))
            self.assertEqual(cells["run"], f"optimizer.name={cells['optimizer.name']},seed={cells['seed']}")
            self.assertEqual(cells["optimizer.beta1"], "0.9" if cells["optimizer.name"] == "adam" else "–")
        self.assertNotIn("dataset.name", head)
        is_shown = "return document.querySelector('#shared').checkVisibility()"
        self.assertFalse(self.browser.execute_script(is_shown))
        self.one("#settings summary").click()
        self.assertTrue(self.browser.execute_script(is_shown))
        settings = dict(self.rows("#shared"))
        self.assertEqual(settings["dataset.name"], "synthetic")
        self.assertNotIn("seed", settings)

    def test_a_run_that_diverged_says_why_beside_one_that_did_not(self):
        self.open("rates")
        self.assertIn("1 finished", self.one("#about").text)
        self.assertIn("the loss became", self.one("td.message").text)
        self.assertGreater(self.pixels(self.panels()["Training loss"], self.colour_of(self.keys()[0])), 20)


class Looks(Page):
    def test_nothing_is_wider_than_the_window(self):
        for width in (360, 768, 1440):
            for name in ("grid", "layers", "rates"):
                with self.subTest(page=name, width=width):
                    self.show_as(width, "light")
                    self.open(name)
                    self.assertLessEqual(self.browser.execute_script("return document.documentElement.scrollWidth"), width)
                    self.assertLessEqual(self.browser.execute_script(EDGE), width)
                    self.assertGreater(self.all("canvas")[0].size["width"], min(300, width - 60))

    def test_words_and_curves_keep_their_contrast_in_both_schemes(self):
        pages = {}
        for scheme in ("light", "dark"):
            self.show_as(1440, scheme)
            self.open("grid")
            self.keys()[0].click()  # one that is off must be readable, too
            words = self.browser.execute_script(WORDS)
            self.assertGreater(len(words), 60)
            for text, ink, behind in words:
                with self.subTest(scheme=scheme, text=text):
                    self.assertGreaterEqual(contrast(rgb(ink), rgb(behind)), 4.5)
            panel = rgb(self.one(".panel").value_of_css_property("background-color"))
            for index in range(8):
                colour = self.browser.execute_script(f"return colour('--run-{index}')")
                with self.subTest(scheme=scheme, run=index):
                    self.assertGreaterEqual(contrast([int(colour[i:i + 2], 16) for i in (1, 3, 5)], panel), 3)
            pages[scheme] = rgb(self.one("body").value_of_css_property("background-color"))
        self.assertGreater(contrast(pages["light"], pages["dark"]), 15)

    def test_a_change_of_scheme_draws_anew(self):
        self.open("grid")
        canvas = self.all("canvas")[0]
        light, before = self.picture(canvas), self.colour_of(self.keys()[0])
        self.show_as(1440, "dark")
        self.browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        self.assertNotEqual(self.picture(canvas), light)
        self.assertEqual(self.pixels(canvas, before), 0)
        self.assertGreater(self.pixels(canvas, self.colour_of(self.keys()[0])), 20)

    def test_a_finger_hits_what_it_aims_at(self):
        self.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setTouchEmulationEnabled", {"enabled": False})
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
        self.open("grid")
        for target in self.all("nav button, nav select, nav label"):
            self.assertGreaterEqual(target.size["height"], 44, target.text)


if __name__ == "__main__":
    unittest.main()
