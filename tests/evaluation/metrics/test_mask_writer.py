from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from mmwsss.evaluation.metrics.mask_writer import MaskWriter


def test_ids_and_colours_of_annotations_whose_zero_is_no_class(tmp_path):
    writer = MaskWriter(str(tmp_path))
    writer.dataset_meta = {'classes': ('wall', 'sky'), 'palette': [[10, 0, 0], [0, 20, 0]]}
    sample = {
        'pred_sem_seg': {'data': torch.tensor([[[0, 1]]])},
        'reduce_zero_label': True,
    }
    writer.process({}, [{**sample, 'img_id': name} for name in ('first', 'second')])
    for name in ('first', 'second'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert np.asarray(image).tolist() == [[1, 2]]
            assert np.asarray(image.convert('RGB')).tolist() == [[[10, 0, 0], [0, 20, 0]]]
