"""The page: plain HTML that needs nothing from elsewhere and no JavaScript, for wide and narrow, light and dark."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

from training.report.theme import Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page."""

    title: str
    # What is to be seen, and how to read it: plain text.
    about: str
    # HTML.
    body: str


def page(title: str, summary: str, body: str, sections: Sequence[Section]) -> str:
    """Gives the whole page.

    Args:
        title: plain text.
        summary: plain text under the title.
        body: HTML that comes before the sections.
        sections: in their order.
    """
    style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    contents = "".join(f'<li><a href="#{_anchor(s.title)}">{escape(s.title)}</a></li>' for s in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(summary)}</p>
{body}
<nav><ul>{contents}</ul></nav>
</header>
<main>
{"".join(_section(section) for section in sections)}</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    return f"""<section id="{_anchor(section.title)}">
<h2>{escape(section.title)}</h2>
<p class="about">{escape(section.about)}</p>
{section.body}
</section>
"""


def _anchor(title: str) -> str:
    return escape("-".join(title.lower().split()), quote=True)


def plot(drawn: Plot, says: str) -> str:
    """Gives a plot, the dark one on dark pages.

    Args:
        drawn: its files.
        says: what it shows, for those who do not see it.
    """
    return (
        f'<figure class="plot"><picture><source srcset="{escape(drawn.dark)}" media="(prefers-color-scheme: dark)">'
        f'<img src="{escape(drawn.light)}" alt="{escape(says)}" width="{drawn.width_px}" height="{drawn.height_px}">'
        "</picture></figure>"
    )


def tile(file: str, says: str, caption: str) -> str:
    """Gives a picture with what stands under it.

    Args:
        file: PNG.
        says: what it shows, for those who do not see it.
        caption: HTML.
    """
    return f'<figure><img src="{escape(file)}" alt="{escape(says)}"><figcaption>{caption}</figcaption></figure>'


def grid(parts: Iterable[str], kind: str = "tiles") -> str:
    """Gives parts side by side, as many in a row as there is room for.

    Args:
        parts: HTML.
        kind: a class of style.css: "tiles" are small, "wide" plots fill the page, what is "beside" has its own width.
    """
    return f'<div class="{kind}">{"".join(parts)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Container[int] = ()) -> str:
    """Gives a table of plain texts.

    Args:
        head: what the columns are.
        rows: as many texts each.
        numbers: which columns have numbers, from 0.
    """
    kinds = [' class="number"' if column in numbers else "" for column in range(len(head))]
    titles = "".join(f"<th{kind}>{escape(title)}</th>" for kind, title in zip(kinds, head, strict=True))
    lines = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    return "".join(f"<td{kind}>{escape(text)}</td>" for kind, text in zip(kinds, row, strict=True))


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Gives names and values, plain texts, as a list."""
    return f"<dl>{''.join(f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>' for name, value in rows)}</dl>"


def folded(title: str, body: str) -> str:
    """Gives HTML that is unfolded on request."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def escaped(text: str) -> str:
    """Gives plain text as HTML."""
    return escape(text)


def heading(text: str) -> str:
    """Gives a heading within a section."""
    return f"<h3>{escape(text)}</h3>"
