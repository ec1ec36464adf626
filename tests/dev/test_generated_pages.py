import pytest

from generated_pages import check_parser, replace_part, write_or_check


def test_markers_are_needed_and_kept():
    page = 'a\n<!-- x:start -->\nold\n<!-- x:end -->\nb'
    assert replace_part(page, 'x', 'new') == page.replace('old', 'new')
    with pytest.raises(ValueError, match=r'^docs/a\.md must hold the markers <!-- y:start -->'):
        replace_part(page, 'y', 'new', 'docs/a.md')


def test_files_are_written_where_they_differ_and_only_named_in_a_check(tmp_path, capsys):
    same, other, new = (tmp_path / name for name in ('same.md', 'other.md', 'new.md'))
    same.write_text('text')
    other.write_text('stale')
    wanted = dict.fromkeys((same, other, new), 'text')
    assert write_or_check(wanted, True, 'results/', tmp_path) == 1
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.splitlines() == [
        'other.md is not what results/ says: run this without --check',
        'new.md is not what results/ says: run this without --check',
    ]
    assert (other.read_text(), new.exists()) == ('stale', False)
    assert write_or_check(wanted, False, 'results/', tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == ['wrote other.md', 'wrote new.md']
    assert all(path.read_text() == 'text' for path in wanted)
    assert write_or_check(wanted, True, 'results/', tmp_path) == 0


def test_the_parser_takes_the_first_paragraph():
    parser = check_parser('Make a page.\n\nMore about it.')
    assert parser.description == 'Make a page.'
    assert parser.parse_args(['--check']).check
    assert not parser.parse_args([]).check
