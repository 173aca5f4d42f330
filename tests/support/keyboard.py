"""A person who uses the console by keyboard alone, in the browser of `tests.support.chromium`."""

import re

from django.urls import reverse


class Keyboard:
    """A browser without a mouse. What it does is what somebody presses."""

    def __init__(self, browser, server):
        self.browser, self._server = browser, server

    def open(self, name, *args, query=""):
        """Type an address, which is that of a page of the console."""
        self.browser.open(f"{self._server.url}{reverse(f'admin:{name}', args=args)}{query}")

    def follow(self, selector):
        """Go to a link or a button of the page, and press Enter there."""
        self._skip_to_the_page()
        self.browser.tab_to(selector)
        self.browser.press("Enter", leads_on=True)

    def unfold(self, selector):
        """Go to what can be unfolded, and press Enter there."""
        self.browser.tab_to(selector)
        self.browser.press("Enter")

    def write(self, name, text):
        """Go to a field, and write in place of what it has."""
        self.browser.tab_to(f"[name={name}]")
        self.browser.press("Control+a")
        self.browser.type(text)

    def press_in(self, name, keys):
        """Go to a field, and press one key after another: for dates, choices and boxes."""
        self.browser.tab_to(f"[name={name}]")
        for key in keys:
            self.browser.press(key)

    def enter(self):
        """Press Enter in the field that has the focus, which sends its form."""
        self.browser.press("Enter", leads_on=True)

    def give_password(self, password):
        """Give the password again, where a page asks for it before it goes on."""
        self.browser.tab_to("#id_again_password")
        self.browser.type(password)
        self.enter()

    def send(self):
        """Go to the button of the form, and press Enter there."""
        self.browser.tab_to("main .submit-row [type=submit]")
        self.browser.press("Enter", leads_on=True)

    def save_file(self, selector):
        """Go to a link that leads to a file, press Enter there, and return the file."""
        self._skip_to_the_page()
        self.browser.tab_to(selector)
        return self.browser.save_file()

    @property
    def words(self):
        """What the page says, without its frame."""
        return re.sub(r"\s+", " ", self.browser.run("document.querySelector('main').innerText"))

    def _skip_to_the_page(self):
        """Use the first link of every page, which leads past the navigation."""
        if self.browser.run("document.activeElement === document.body"):
            self.browser.press("Tab")
            self.browser.press("Enter")
