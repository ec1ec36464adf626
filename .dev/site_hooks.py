"""Hooks of the documentation's site: formulas become MathML, patterns in the navigation pages.

No browser needs a script or a network for the formulas, and a new method's page is listed nowhere by hand.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

# What pymdownx.arithmatex leaves of $...$ and of blocks of $$...$$.
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(text: str, **_: object) -> str:
    """Called by mkdocs with the HTML of a page."""
    text = INLINE.sub(lambda found: convert(html.unescape(found[1])), text)
    return BLOCK.sub(lambda found: convert(html.unescape(found[1]), display='block'), text)


def on_config(config: Any) -> Any:
    """Called by mkdocs first: a pattern stands for the pages that the navigation does not name."""
    docs = Path(config.docs_dir)
    pages = [page for section in config.nav for part in section.values() for page in part]
    for section in config.nav:
        for title, part in section.items():
            section[title] = [
                name
                for page in part
                for name in (
                    sorted(p.relative_to(docs).as_posix() for p in docs.glob(page))
                    if '*' in page
                    else [page]
                )
                if name == page or name not in pages
            ]
    return config
