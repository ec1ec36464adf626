"""The command lines of tools/dataset_converters; what they do is tested in tests/datasets."""

import json

import pytest
from mmengine.config import Config

from mmwsss.io import read_id_list
from tests.datasets.tiny import make_tiny
from tests.tiny_models import localizer_config
from tests.tools.run import run_here

DEMO_LIST = 'ImageSets/Segmentation/train.txt'


def run(tool, *args):
    return run_here(f'dataset_converters/{tool}.py', *args)


def test_generic_reports_and_exits_with_1_when_an_image_fails(tmp_path):
    root = make_tiny(tmp_path)
    (root / 'images/first.jpg').write_bytes(b'')
    arguments = [root / 'images', '--masks', root / 'masks', '--classes', root / 'classes.txt']
    done = run('generic', *arguments, '--out', root / 'out', '--workers', 0)
    assert done.returncode == 1
    assert 'first: UnidentifiedImageError' in done.stderr
    assert '"images": 2' in done.stdout
    assert (root / 'out/classes.txt').read_text() == 'cat\ndog\n'


def test_generic_takes_a_missing_list_for_no_class(tmp_path):
    root = make_tiny(tmp_path)
    arguments = [root / 'images', '--labels', root / 'labels.csv', '--classes', root / 'none.txt']
    done = run('generic', *arguments, '--out', root / 'out', '--workers', 0)
    assert done.returncode == 2
    assert f'text file not found: {root / "none.txt"}' in done.stderr


def test_generic_keeps_the_order_of_classes_of_an_earlier_run(tmp_path):
    root = make_tiny(tmp_path)
    arguments = [root / 'images', '--labels', root / 'labels.csv', '--out', root / 'out']
    assert run('generic', *arguments, '--classes', 'dog', 'cat').returncode == 0
    assert run('generic', *arguments).returncode == 0
    assert (root / 'out/classes.txt').read_text() == 'dog\ncat\n'


def test_generic_says_that_the_folder_of_true_masks_is_missing(tmp_path):
    root = make_tiny(tmp_path)
    arguments = [root / 'images', '--labels', root / 'labels.csv', '--gt', root / 'maks']
    done = run('generic', *arguments, '--out', tmp_path, '--dry-run', '--workers', 0)
    assert done.returncode == 0, done.stderr
    assert f'note: there is no folder {root / "maks"}: nothing can be scored' in done.stderr


def test_subset_lists_from_a_config(demo_root, tmp_path):
    cfg = localizer_config(demo_root)
    cfg['train_dataloader']['dataset'] = dict(
        type='PairDataset', dataset={**cfg['train_dataloader']['dataset'], 'subset': 'none.txt'}
    )
    Config(cfg).dump(tmp_path / 'config.py')
    arguments = [tmp_path / 'config.py', '--out', tmp_path / 'parts', '--fractions', '1/2', '1/4']
    done = run('subset', *arguments)
    assert done.returncode == 0, done.stderr
    lists = {n: read_id_list(tmp_path / f'parts/train_1of{n}.txt') for n in (2, 4)}
    assert set(lists[4]) < set(lists[2]) < set(read_id_list(demo_root / DEMO_LIST))
    alone = [tmp_path / 'config.py', '--out', tmp_path / 'alone', '--seed', 3]
    found = []
    for fractions in (['1/2'], []):  # whatever others are asked for
        assert run('subset', *alone, *(fractions and ['--fractions', *fractions])).returncode == 0
        found.append(read_id_list(tmp_path / 'alone/train_1of2.txt'))
    assert found[0] == found[1]
    nested = [tmp_path / 'config.py', '--out', tmp_path / 'nested', '--seed', 7]
    assert run('subset', *nested, '--fractions', '2/5', '3/5').returncode == 0
    small, large = (set(read_id_list(tmp_path / f'nested/train_{n}of5.txt')) for n in (2, 3))
    assert small < large
    found = json.loads((tmp_path / 'parts/statistics.json').read_text())
    assert found['seed'] == 0
    assert found['parts']['1/4']['images'] == len(lists[4])
    assert min(found['parts']['1/4']['images_with_class'].values()) >= 1


def test_a_fraction_that_is_none(tmp_path):
    done = run('subset', tmp_path / 'config.py', '--out', tmp_path, '--fractions', '1/0')
    assert done.returncode == 2
    assert "argument --fractions: not a fraction: '1/0'" in done.stderr


def test_demo_data_below_a_file_is_one_line(tmp_path):
    (tmp_path / 'file').write_text('')
    done = run('make_demo_data', '--out', tmp_path / 'file/demo', '--train', 2, '--val', 1)
    assert (done.returncode, done.stderr.count('\n')) == (2, 1)
    assert done.stderr.startswith('error: ')


def test_instances_of_2017_leave_the_lists_of_2014(tmp_path):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    (tmp_path / 'annotations').mkdir()
    for year, name in ((2014, 'old'), (2017, 'new')):
        content = dict(
            images=[dict(id=1, file_name=f'{name}.jpg', height=4, width=4)],
            annotations=[dict(id=1, image_id=1, category_id=1, segmentation=[[0, 0, 4, 0, 4, 4]])],
            categories=[dict(id=1, name='person')],
        )
        path = tmp_path / f'annotations/instances_train{year}.json'
        path.write_text(json.dumps(content))
        options = ['--splits', 'train', '--year', year, '--expected-count', 0]
        assert run('coco14', tmp_path, *options).returncode == 0
    lists = {path.name: path.read_text() for path in tmp_path.glob('*.txt')}
    assert lists == {'train.txt': 'old\n', 'train2017.txt': 'new\n'}
    assert json.loads((tmp_path / 'labels_train2017.json').read_text()) == {'new': ['person']}


def test_subset_lists_are_of_one_dataset(demo_root, tmp_path):
    cfg = localizer_config(demo_root)
    part = cfg['train_dataloader']['dataset']
    cfg['train_dataloader']['dataset'] = dict(type='WSSSConcatDataset', datasets=[part, part])
    Config(cfg).dump(tmp_path / 'config.py')
    done = run('subset', tmp_path / 'config.py', '--out', tmp_path / 'parts')
    assert done.returncode == 2
    assert 'lists are made of one dataset, but train_dataloader has 2' in done.stderr


@pytest.mark.parametrize(
    ('tool', 'message'),
    [('voc12aug', 'list of images does not exist'), ('coco14', 'instances_train2014.json')],
)
def test_missing_input_is_one_line_and_exit_code_2(tmp_path, tool, message):
    if tool == 'coco14':
        pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    folders = [tmp_path, tmp_path] if tool == 'voc12aug' else [tmp_path]
    done = run(tool, *folders)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1
    assert message in errors[0]
    assert 'Traceback' not in done.stderr


def test_coco_begins_when_all_files_are_there(tmp_path):
    train = tmp_path / 'annotations/instances_train2014.json'
    train.parent.mkdir()
    train.write_text('{}')
    done = run('coco14', tmp_path)
    assert done.returncode == 2
    assert (
        f'error: file of instances not found: {train.parent}/instances_val2014.json' in done.stderr
    )
