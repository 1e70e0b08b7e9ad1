"""Python 2 as Python 3: what is read of a script, and what is run of it, are one text."""

from pathlib import Path

import pytest
from trainer import python2 as trainers_python2
from trainer import wording as trainers_wording

from jobs.source import python2, wording

CORPUS = Path(__file__).parent / "corpus" / "cnn" / "python2_prints.py"
TEXTS = {
    "words": ("print 'a', b\n", "print('a', b)\n"),
    "a file": ("print >>log, 'a'\n", None),
    "nothing": ("print\nprint x,\n", None),
    "tuples": ("print (1, 2), 3\nprint('plain')\nprint ('%d' % 1)\n", None),
    "a line of more": ("if x: print x; print 'y'\nelse: print 'z' # print 'w'\n", None),
    "lines": ("print 'a %s b' % (\n    x,\n)\n", None),
    "a block": ("class A:\n\tdef f(self):\n\t\tprint self.x, 'of', [1, 2]\n", None),
    "clauses": (
        "try:\n    pass\nexcept (OSError, ValueError), error:\n    raise IOError, 'no'\n",
        "try:\n    pass\nexcept (OSError, ValueError) as error:\n    raise IOError( 'no')\n",
    ),
    "numbers": ("x = [10L, 0755, 0]\n", "x = [10 , 0o755, 0]\n"),
    "other letters": ("# h\u00e4user\nprint u'h\u00e4user', x\n", None),
    "Windows' line ends": ("print 'a'\r\nprint 'b', 2\r\n", None),
    "no end of line": ("print 'a'", "print('a')"),
    "Python 3": ("print(f'{x}', end='')\n", "print(f'{x}', end='')\n"),
    "no Python": ("print 'a\n  (\n", "print 'a\n  (\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_both_sides_make_the_same_of_a_text(name: str) -> None:
    text, expected = TEXTS[name]
    read = python2.as_python_3(text)
    assert read == trainers_python2.as_python_3(text)
    if expected is not None:
        assert read == expected
    else:
        assert read != text
        compile(read, name, "exec")


def test_both_sides_make_the_same_of_a_script() -> None:
    text = CORPUS.read_text()
    with pytest.raises(SyntaxError):
        compile(text, CORPUS.name, "exec")
    read = python2.as_python_3(text)
    compile(read, CORPUS.name, "exec")
    assert read == trainers_python2.as_python_3(text)


def test_both_sides_know_by_the_same_words_that_files_are_moved() -> None:
    assert wording._MOVES.pattern == trainers_wording._MOVES.pattern.decode()
