from pathlib import Path

import pytest

import recipe_tables as tool
from mmwsss.io import Protocol, Score
from mmwsss.pipeline.summary import StageSummary, Summary

ROOT = Path(__file__).parents[2]


def test_every_folder_says_what_its_configs_and_results_are():
    wanted = tool.pages()
    assert len(wanted) > 10
    for page, text in wanted.items():
        assert page.read_text('utf-8') == text, page


def test_a_row_has_the_comment_the_scores_and_the_command(tmp_path):
    folder = tmp_path / 'configs' / 'cam'
    (folder / 'ablations').mkdir(parents=True)
    (folder / 'a_voc.py').write_text('# CAM, by Li et al., 2016, on\n# VOC. Small.\nx = 1  # no\n')
    (folder / 'ablations' / 'b_pseudo.py').write_text('# A segmenter: see README.\n')
    score = Score('masks', Protocol('train', 9, uses_ground_truth=True), {'mIoU': 0.3})
    stage = StageSummary('masks_score', 'score', scores=[score])
    runs = {
        'a_voc': [Summary('a_voc', 'p.py', seed, stages=[stage]) for seed in (0, 1)],
        'b_pseudo_true-masks': [Summary('b', 'p.py', 0, stages=[stage])],
    }
    assert tool.table(folder, tmp_path, runs).splitlines()[2:] == [
        '| `a_voc.py` | CAM, by Li et al., 2016, on VOC | masks 30.00 ± 0.00 (2)* '
        '| `tools/train.py configs/cam/a_voc.py` |',
        '| `ablations/b_pseudo.py` | A segmenter: see README | masks on true masks 30.00 (1)* | '
        '`tools/train.py configs/cam/ablations/b_pseudo.py --cfg-options pseudo_mask_dir=MASKS` |',
    ]


def test_a_config_scored_in_other_runs():
    config = 'configs/par/par_voc.py'
    score = Score('masks', Protocol('train', 9), {'mIoU': 0.3})
    stages = [
        StageSummary('masks', 'masks', config=config),
        StageSummary('masks_score', 'score', scores=[score], config='configs/sipe/sipe_voc.py'),
    ]
    runs = {'refiners': [Summary('refiners', 'p.py', 0, stages=stages)]}
    assert tool.measured(config, runs) == 'masks 30.00 (1)'
    assert tool.measured('configs/sipe/sipe_voc.py', runs) == 'not measured'
    runs['part'] = [Summary('part', 'p.py', 0, options={'sipe.fraction': '1/4'}, stages=stages)]
    assert (
        tool.measured(config, runs) == 'masks 30.00 (1)'
    )  # as configured, before a part of the images
    runs['more'] = runs.pop('part') + runs['refiners']
    assert tool.measured(config, runs) == 'masks 30.00 (1)'
    runs['more'] = runs['refiners']
    assert tool.measured(config, runs) == 'in `results/more`, `results/refiners`'


def test_a_config_without_comment_is_named(tmp_path):
    (tmp_path / 'a.py').write_text('x = 1\n')
    with pytest.raises(ValueError, match=r'a\.py must begin with a comment'):
        tool.first_sentence(tmp_path / 'a.py')
