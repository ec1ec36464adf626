from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'show.py'))


def run(*arguments) -> int:
    args = TOOL['parse_args']([*map(str, arguments), '--device', 'cpu'])
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


def test_pictures_labels_and_exit_codes(tiny_cam, demo_root, tmp_path, capsys):
    cfg, checkpoint = tiny_cam
    cfg.dump(tmp_path / 'config.py')
    model = [tmp_path / 'config.py', checkpoint]
    image, out = demo_root / 'JPEGImages' / 'val_0000.jpg', tmp_path / 'out'
    assert run(*model, image, '--out', out, '--labels', ' kite, teapot,') == 0
    assert [path.name for path in out.iterdir()] == ['val_0000.png']
    assert run(*model, out, '--out', out) == 2  # a picture is no photo
    assert 'all images lie in the output folder' in capsys.readouterr().err
    (tmp_path / 'bad.png').write_bytes(b'')
    assert run(*model, tmp_path / 'bad.png', '--out', out, '--labels', 'kite') == 1
    assert 'bad' in capsys.readouterr().err
    assert run(*model, image, '--out', out, '--labels', 'dog') == 2
    assert "labels: class 'dog' is unknown" in capsys.readouterr().err
    capsys.readouterr()
    assert run(*model, tmp_path / 'nothing', '--out', out) == 2
    assert capsys.readouterr().err == (
        f'error: image or folder of images not found: {tmp_path / "nothing"}\n'
    )
    assert run(*model, image, '--out', tmp_path / 'bad.png') == 2
    assert f"File exists: '{tmp_path / 'bad.png'}'" in capsys.readouterr().err
