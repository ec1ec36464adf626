from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mmwsss.visualization import class_legend, colorize, heatmap, overlay, save_panel

PALETTE = [[0, 0, 0], [200, 10, 20]]


def grey_image(height: int = 4, width: int = 6, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_colorize_paints_classes_and_ignore():
    picture = colorize(np.array([[0, 1, 255]]), PALETTE)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [[[0, 0, 0], [200, 10, 20], [224, 224, 192]]]


def test_colorize_refuses_an_id_without_colour():
    with pytest.raises(ValueError, match=r'2 colours, but labels hold \[2\]'):
        colorize(np.array([[0, 2]]), PALETTE)


def test_overlay_keeps_the_background_and_blends_the_rest():
    picture = overlay(grey_image(1, 2), np.array([[0, 1]]), PALETTE, alpha=0.5)
    assert picture.tolist() == [[[100, 100, 100], [150, 55, 60]]]


def test_overlay_names_both_sizes():
    with pytest.raises(ValueError, match=r'labels are \(2, 2\), but the image is \(4, 6\)'):
        overlay(grey_image(), np.zeros((2, 2), int), PALETTE)


def test_heatmap_runs_from_low_to_high_colour():
    low, high = (
        np.rint(np.array(matplotlib.colormaps['viridis'](v)[:3]) * 255) for v in (0.0, 1.0)
    )
    scores = np.array([[0.0, 1.0]])
    picture = heatmap(scores, grey_image(1, 2), alpha=1.0)
    np.testing.assert_array_equal(picture[0, 0], low)
    np.testing.assert_array_equal(picture[0, 1], high)


def test_heatmap_resizes_and_survives_nan():
    picture = heatmap(np.array([[np.nan, 0.5]]), grey_image(5, 7))
    assert picture.shape == (5, 7, 3)
    low, *_, high = heatmap(np.array([[0.0, 1.0]]), grey_image(1, 7))[0].tolist()
    assert heatmap(np.array([[np.nan, 1.0]]), grey_image(1, 2)).tolist() == [[low, high]]


def test_heatmap_with_alpha_zero_is_the_image():
    np.testing.assert_array_equal(heatmap(np.ones((4, 6)), grey_image(), alpha=0), grey_image())


@pytest.mark.parametrize('alpha', [-0.01, 1.01])
def test_alpha_outside_the_range(alpha: float):
    with pytest.raises(ValueError, match=r'alpha must lie in \[0, 1\]'):
        heatmap(np.zeros((4, 6)), grey_image(), alpha=alpha)


def test_class_legend_picks_ids():
    assert class_legend(['background', 'cat'], PALETTE, ids=[1]) == [('cat', [200, 10, 20])]
    with pytest.raises(ValueError, match='1 colours for 2 classes'):
        class_legend(['background', 'cat'], PALETTE[:1])


def test_save_panel_writes_a_grid_that_shows_the_pictures(tmp_path):
    red = np.zeros((8, 10, 3), np.uint8)
    red[..., 0] = 250
    rows = [[('image', grey_image(8, 10)), ('mask', red)], [('only one', red)]]
    save_panel(tmp_path / 'new' / 'panel.png', rows, class_legend(['bg', 'cat'], PALETTE))
    picture = np.asarray(Image.open(tmp_path / 'new' / 'panel.png').convert('RGB')).astype(int)
    reds = (picture == [250, 0, 0]).all(-1)
    assert reds.mean() > 0.2
    assert ((picture == [200, 10, 20]).all(-1)).any()  # the legend
    assert [p.name for p in (tmp_path / 'new').iterdir()] == ['panel.png']


def test_save_panel_refuses_nothing(tmp_path):
    with pytest.raises(ValueError, match='at least one picture'):
        save_panel(tmp_path / 'a.png', [[]])
