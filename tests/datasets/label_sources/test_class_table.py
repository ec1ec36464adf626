import pytest

from mmwsss.datasets.label_sources.class_table import ClassTable


def test_ids_are_positions_sorted_and_unique():
    table = ClassTable(['background', 'cat', 'dog', 'cow'])
    assert table.ids_of(['cow', 'cat', 'cow'], 'here') == [1, 3]
    assert table.names == ('cat', 'dog', 'cow')


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('aeroplain', "the closest valid name is 'aeroplane'"),
        ('Aeroplane', "the closest valid name is 'aeroplane'"),
        ('zzz', 'valid names are aeroplane, bicycle'),
    ],
)
def test_unknown_name_says_where_and_what_is_close(name, hint):
    table = ClassTable(['background', 'aeroplane', 'bicycle'])
    with pytest.raises(
        ValueError, match=f"a.csv, line 3: foreground class '{name}' is unknown; {hint}"
    ):
        table.id_of(name, 'a.csv, line 3')


def test_background_is_no_label():
    with pytest.raises(ValueError, match="foreground class 'background' is unknown"):
        ClassTable(['background', 'cat']).id_of('background', 'x')


@pytest.mark.parametrize('classes', [[], ['background'], ['cat', 'background'], ['cat', 'dog']])
def test_background_must_be_first(classes):
    with pytest.raises(ValueError, match="must hold 'background' first"):
        ClassTable(classes)


def test_repeated_names_are_refused():
    with pytest.raises(ValueError, match='these repeat: cat'):
        ClassTable(['background', 'cat', 'dog', 'cat'])
