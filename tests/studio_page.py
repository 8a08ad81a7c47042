"""Helpers that operate the page of `tfdream studio`."""

from browsing import press, wait

JOB_SECONDS = 180


def find(page, selector):
    from selenium.webdriver.common.by import By

    return page.find_element(By.CSS_SELECTOR, selector)


def find_all(page, selector):
    from selenium.webdriver.common.by import By

    return page.find_elements(By.CSS_SELECTOR, selector)


def upload(page, selector, path):
    wait(page, f"return document.querySelector('{selector} input[type=file]')")
    find(page, f"{selector} input[type=file]").send_keys(str(path))


def load(page, path, selector="#first"):
    upload(page, selector, path)
    wait(page, f"return document.querySelector('#command textarea').value.includes('{path.name}')")


def choose_task(page, name):
    page.execute_script(
        "[...document.querySelectorAll('#task input')].find(i => i.value === arguments[0]).click()",
        name,
    )
    wait(
        page, f"return document.querySelector('#command textarea').value.includes('tfdream {name}')"
    )


def choose(page, selector, value):
    """Choose from a dropdown with the keyboard: its field filters the choices."""
    from selenium.webdriver.common.keys import Keys

    enter(page, selector, value)
    press(page, Keys.ENTER)


def enter(page, selector, value):
    """Replace the content of a field by keys, as the content of a control that has the focus."""
    wait(page, f"return document.querySelector('{selector} input, {selector} textarea')")
    page.execute_script(
        "const field = document.querySelector(arguments[0]); field.scrollIntoView();"
        "field.focus(); field.select()",
        f"{selector} input, {selector} textarea",
    )
    press(page, str(value))


def open_section(page, selector):
    """Open a section, also if the controls are generated again meanwhile, which closes it."""
    wait(
        page,
        f"const content = document.querySelector('{selector} [data-testid=accordion-content]');"
        "if (content?.offsetHeight) return true;"
        f"document.querySelector('{selector} > button')?.click(); return false",
    )


def command_contains(page, text, seconds=60):
    return wait(
        page,
        f"return document.querySelector('#command textarea').value.includes({text!r})",
        seconds,
    )


def click(page, selector):
    page.execute_script("document.querySelector(arguments[0]).click()", selector)


def status(page):
    return find(page, "#status p").text


def run(page, selector="#run", ending="Finished"):
    """Press a button that starts jobs, and wait for their end, which has another status."""
    before = status(page)
    click(page, selector)
    wait(
        page,
        "const text = document.querySelector('#status p').innerText;"
        f"return text !== {before!r} && /^(Finished|Ready|Error)/.test(text)",
        JOB_SECONDS,
    )
    assert status(page).startswith(ending), status(page)
