"""HTML from small functions that escape everything, and the frame of a page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

__all__ = [
    'Html',
    'anchors_of',
    'data_uri',
    'distinct',
    'document',
    'join',
    'section',
    'table',
    'tag',
]

VOID_TAGS = ('br', 'img', 'meta')
CONTROL = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]')
# The page loads nothing and runs nothing, whatever the names in it contain.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0072b2; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; overflow-wrap: anywhere; }
a { color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
         vertical-align: top; overflow-wrap: break-word; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { font-size: .85rem; opacity: .85; max-width: 46rem; }
.tag { font-size: .75rem; border: 1px solid currentColor; border-radius: .5rem; padding: 0 .4rem;
       white-space: nowrap; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; margin: .4rem 0; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .35em;
          border: 1px solid #8888; vertical-align: -.05em; }
.bars { display: grid; grid-template-columns: minmax(4.5rem, max-content) 1fr; gap: .1rem .7rem;
        font-size: .85rem; align-items: center; max-width: 46rem; }
.bars > span { overflow-wrap: anywhere; line-height: 1.2; }
.bar { display: flex; align-items: center; gap: .4rem; line-height: 1.15; }
.bar i { display: block; height: .55rem; min-width: 1px; flex: none; }
.bar b { font-weight: normal; font-size: .75rem; font-variant-numeric: tabular-nums;
         white-space: nowrap; }
td > .bar { flex-direction: column-reverse; align-items: start; min-width: 10rem; }
td > .bar b { font-size: .9rem; }
.group { padding: .15rem 0; border-bottom: 1px solid var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
          gap: 1rem; }
.charts figure { margin: 0; min-width: 0; }
svg { width: 100%; max-width: 32rem; height: auto; display: block; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 45%), 1fr));
         gap: .5rem; }
.tiles figure { margin: 0; min-width: 0; }
.tiles img { width: 100%; height: auto; display: block; background: var(--soft); }
figcaption { font-size: .8rem; line-height: 1.25; padding: .15rem 0; overflow-wrap: anywhere; }
.card { border-bottom: 1px solid var(--line); padding-bottom: .8rem; }
img.wide { width: 100%; min-width: 40rem; height: auto; display: block; }
table.matrix { font-size: .7rem; border-collapse: separate; border-spacing: 1px; }
table.matrix th, table.matrix td { padding: .1rem .2rem; border: 0; text-align: right;
                                   overflow-wrap: normal; white-space: nowrap; }
table.matrix td { min-width: 1.6rem; background: var(--soft); }
table.matrix th.up { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; }
pre, code { font-size: .8rem; }
pre { background: var(--soft); padding: .6rem; margin: .3rem 0; white-space: pre-wrap;
      overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: .7rem; } th, td { padding: .3rem .4rem; }
  table.cards, table.cards tbody, table.cards tr, table.cards td { display: block; }
  table.cards tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.cards tr:first-child { display: none; }
  table.cards td { border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  table.cards td::before { content: attr(data-title) ': '; opacity: .7; }
}
"""


class Html(str):
    """Markup: text that is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: Any) -> Html:
    """Make an element; children and attribute values that are no :class:`Html` are escaped.

    Args:
        name: Name of the element.
        children: Text or markup inside it.
        **attributes: ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``; None and False
            leave the attribute out.

    Returns:
        The element.

    Example:
        >>> tag('b', 'a < b', class_='n')
        '<b class="n">a &lt; b</b>'
    """
    pairs = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID_TAGS:
        return Html(f'<{name}{pairs}>')
    return Html(f'<{name}{pairs}>{join(*children)}</{name}>')


def join(*children: str, separator: str = '') -> Html:
    """Put text and markup one behind the other."""
    return Html(separator.join(escaped(child) for child in children))


def escaped(text: str) -> str:
    """Escape text, with control characters and half characters made visible; markup stays."""
    if isinstance(text, Html):
        return text
    return html.escape(CONTROL.sub('\ufffd', text), quote=True)


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int] = (),
    cards: bool = False,
) -> Html:
    """A table that scrolls sideways in itself where the screen is narrow.

    Args:
        header: Titles of the columns.
        rows: Text or markup of the cells.
        numbers: Columns aligned to the right.
        cards: On a narrow screen, show each row as a list instead.
    """
    kinds = ['n' if i in numbers else None for i in range(len(header))]
    head = tag('tr', *(tag('th', cell, class_=kind) for cell, kind in zip(header, kinds)))
    body = [
        tag(
            'tr',
            *(
                tag('td', cell, class_=kind, data_title=title if cards else None)
                for cell, kind, title in zip(row, kinds, header)
            ),
        )
        for row in rows
    ]
    whole = tag('table', head, *body, class_='cards' if cards else None)
    return tag('div', whole, class_='scroll')


def anchors_of(titles: Sequence[str]) -> list[str]:
    """A name for the place of each title in a page; no two are the same, and none is empty."""
    plain = [re.sub(r'\W+', '-', title.lower()).strip('-') or 'section' for title in titles]
    return distinct(plain, '{}-{}')


def distinct(names: Sequence[str], form: str = '{} ({})') -> list[str]:
    """The names, with a number put to each that was there before."""
    found: list[str] = []
    for name in names:
        numbered = (form.format(name, number) for number in itertools.count(2))
        found.append(next(n for n in itertools.chain([name], numbered) if n not in found))
    return found


def section(title: str, *content: str, anchor: str | None = None) -> Html:
    """A heading that the navigation can name, and what is below it.

    Args:
        title: The heading.
        content: Text or markup.
        anchor: Its place in the page, see :func:`anchors_of`; None: that of a page with this title only.
    """
    anchor = anchors_of([title])[0] if anchor is None else anchor
    return tag('section', tag('h2', title), *content, id=anchor)


def data_uri(image: np.ndarray | bytes, quality: int = 88) -> str:
    """An image inside the page.

    Args:
        image: RGB uint8 (H, W, 3), written as JPEG; or the bytes of a PNG, kept as they are.
        quality: Of the JPEG, 1..100.
    """
    if isinstance(image, bytes):
        return 'data:image/png;base64,' + base64.b64encode(image).decode('ascii')
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format='JPEG', quality=quality)
    return 'data:image/jpeg;base64,' + base64.b64encode(stream.getvalue()).decode('ascii')


def document(title: str, *body: str) -> str:
    """A whole page that loads nothing from anywhere and runs no script."""
    head = [
        tag('meta', charset='utf-8'),
        tag('meta', name='viewport', content='width=device-width, initial-scale=1'),
        tag('meta', http_equiv='Content-Security-Policy', content=POLICY),
        tag('title', title),
        tag('style', Html(STYLE)),
    ]
    page = tag('html', tag('head', *head), '\n', tag('body', *body), lang='en')
    return f'<!doctype html>\n{page}\n'
