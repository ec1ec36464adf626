import pytest
import torch

from mmwsss.functional import peak_normalize
from mmwsss.models import SIPEHead


def head(**kwargs):
    return SIPEHead(
        num_classes=3,
        in_channels=8,
        side_in_channels=(4, 8),
        side_channels=(4, 4),
        side_indices=(0, 1),
        size_index=1,
        test_map='cam',
        estimated_background=True,
        **kwargs,
    )


@pytest.mark.parametrize('source', ['all', 'present'])
def test_background_of_the_general_cam(source):
    logits = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    maps = head(background_from=source).maps({'cam_logits': logits}, labels)
    scores = peak_normalize(logits)
    for n in range(2):
        classes = range(3) if source == 'all' else labels[n].nonzero()[:, 0].tolist()
        expected = 1 - torch.stack([scores[n, k] for k in classes]).amax(dim=0)
        torch.testing.assert_close(maps[n, 0], expected)
        for k in range(3):
            torch.testing.assert_close(maps[n, k + 1], scores[n, k] * labels[n, k])


def test_unknown_choice():
    with pytest.raises(ValueError, match=r"background_from must be one of .* but got 'some'"):
        head(background_from='some')
