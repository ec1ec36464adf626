from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from mmwsss.visualization.report.html import Html, data_uri, document, join, section, table, tag

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\udc80\'&amp;'


class Collected(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.text = ''
        self.feed(page)

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.values += [value for _, value in attributes]

    def handle_data(self, data):
        self.text += data


def test_text_and_attributes_are_escaped_and_markup_is_not():
    made = tag('b', '<i>', tag('i', 'a & b'), title='"x"', class_='n', hidden=None, open=False)
    assert made == '<b title="&quot;x&quot;" class="n">&lt;i&gt;<i>a &amp; b</i></b>'
    assert isinstance(made, Html)
    assert tag('img', alt='') == '<img alt="">'
    assert join('<', tag('br'), separator='|') == '&lt;|<br>'


@pytest.mark.parametrize(
    'make',
    [
        lambda name: tag('p', name),
        lambda name: tag('p', '', title=name),
        lambda name: table([name], [[name]], cards=True),
        lambda name: section(name, name),
        lambda name: document(name, name),
    ],
)
def test_hostile_names_stay_text(make):
    found = Collected(make(HOSTILE))
    assert not {'script', 'img'} & set(found.tags)
    page = make(HOSTILE)
    assert '\x00' not in page
    page.encode('utf-8')
    shown = HOSTILE.replace('\x00', '\ufffd').replace('\udc80', '\ufffd')
    assert shown in found.text or shown in found.values


def test_pictures_inside_the_page_are_the_pictures():
    image = np.full((4, 6, 3), (200, 10, 10), np.uint8)
    kind, _, content = data_uri(image).partition(';base64,')
    assert kind == 'data:image/jpeg'
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), dtype=int)
    assert np.abs(found - image).max() < 12
    assert data_uri(b'png').endswith(base64.b64encode(b'png').decode())


def test_numbers_are_aligned_and_titles_repeat_in_cards():
    made = table(('what', 'mIoU'), [['a', '1.0']], numbers=(1,), cards=True)
    assert '<td class="n" data-title="mIoU">1.0</td>' in made
    assert 'data-title' not in table(('what',), [['a']])
