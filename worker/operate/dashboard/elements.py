"""Elements that the page and its panels are built of."""

from collections.abc import Callable

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement


def box(classes: str) -> Element:
    """An area of these classes, to be used with `with`."""
    return ui.element("div").classes(classes)


def card(title: str, width: str, note: str = "") -> Element:
    """A titled area of the page, to be used with `with`; its content goes below the title."""
    area = ui.element("section").classes(f"card {width}").props(f'aria-label="{title}"')
    with area, box("card-head"):
        TextElement(tag="h2", text=title).classes("card-title")
        ui.label(note).classes("note").set_visibility(bool(note))
    return area


def button(label: str, action: Callable[[], object] | None = None) -> ui.button:
    """A button in the page's own style."""
    return ui.button(label, on_click=action, color=None).props("flat dense no-caps").classes("action")


async def is_sure(question: str, consequence: str, keep: str, go_on: str) -> bool:
    """Asks in a dialog; returns whether the visitor wants to go on."""
    with ui.dialog() as dialog, box("dialog"):
        ui.label(question).classes("card-title")
        ui.label(consequence).classes("note")
        with box("letter-actions"):
            button(keep, lambda: dialog.submit(False))
            button(go_on, lambda: dialog.submit(True)).classes("quiet-bad")
    sure = await dialog
    dialog.delete()
    return bool(sure)
