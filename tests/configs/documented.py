"""The options that the methods' pages give instead of configs."""

from __future__ import annotations

import argparse
import re
from typing import Any

from mmwsss.utils.cli import OptionAction
from tests.docs.pages import ROOT, read_page


def documented_options(method: str) -> list[dict[str, Any]]:
    """The options of each row of a page's tables whose last column is ``--cfg-options``."""
    parser = argparse.ArgumentParser()
    parser.add_argument('options', nargs='+', action=OptionAction)
    page = read_page(ROOT / 'docs' / 'methods' / f'{method}.md')
    texts = re.findall(
        r'\| `((?:\w+\.[\w.]+|fraction|pretrained)=[^`]+)`[^|]*\|$', page, re.MULTILINE
    )
    return [parser.parse_args(text.split()).options for text in texts]
