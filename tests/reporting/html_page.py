"""What a browser would make of a page, as far as Python's own parser tells."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "use", "image", "line", "circle", "path"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """All elements in order, with their own text and the tags they stand in."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.unclosed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), inside=[parent.tag for parent in self._open])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), inside=[parent.tag for parent in self._open]))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.unclosed.append(f"</{tag}> in {[element.tag for element in self._open]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    @property
    def words(self) -> str:
        """What can be read: everything but scripts and styles, with single spaces."""
        hidden = {id(element) for element in self.all("script", "style")}
        bodies = [e for e in self.elements if e.tag == "body"]
        text = bodies[0].text if bodies else ""
        for element in self.elements:
            if id(element) in hidden and element.text:
                text = text.replace(element.text, "")
        return " ".join(text.split())
