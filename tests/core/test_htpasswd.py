"""Files of passwords: which users they name, and what is said of lines that name none."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.core.htpasswd import (
    ARGON2,
    BCRYPT,
    LONGEST_LINE,
    MOST_CHARACTERS,
    MOST_USERS,
    Table,
    parse_environment,
    parse_htpasswd,
)
from tinyhttp.core.rules import ERROR, WARNING, Problem

SALT, DIGEST = "abcdefghijklmnopqrstuO", "0123456789abcdefghijABCDEFGHIJO"


def bcrypt(cost: int = 12, version: str = "y") -> str:
    return f"$2{version}${cost:02d}${SALT}{DIGEST}"


def argon2(memory: int = 65536, passes: int = 3, lanes: int = 4, kind: str = "argon2id") -> str:
    return f"${kind}$v=19$m={memory},t={passes},p={lanes}${'c2FsdA' * 2}c2FsdA${'QUJD' * 10}QUI"


def parse(text: str) -> tuple[Table, list[Problem]]:
    return parse_htpasswd(text, "users")


def errors(text: str) -> list[tuple[int, str]]:
    return [(p.line, p.text) for p in parse(text)[1] if p.severity == ERROR]


def warnings(text: str) -> list[str]:
    return [p.text for p in parse(text)[1] if p.severity == WARNING]


@pytest.mark.parametrize(
    ("hashed", "kind"),
    [
        (bcrypt(4), BCRYPT),
        (bcrypt(17), BCRYPT),
        (bcrypt(version="a"), BCRYPT),
        (bcrypt(version="b"), BCRYPT),
        (argon2(), ARGON2),
        (argon2(kind="argon2i"), ARGON2),
        (argon2(8, 1, 1), ARGON2),
        (argon2(256 << 10, 4, 16), ARGON2),
        (argon2(1024, 1024, 1), ARGON2),
    ],
)
def test_hashes_that_are_taken(hashed: str, kind: str) -> None:
    table, problems = parse(f"anna:{hashed}")
    assert [p for p in problems if p.severity == ERROR] == []
    assert {user: h.text for user, h in table.hashes.items()} == {b"anna": hashed}
    assert table.kinds == {kind}


def test_lines() -> None:
    text = (
        f"\ufeff# users of ours\r\n\r\nanna:{bcrypt()}\r\n  \t\n\t # and\n"
        f"b\u00e9la:{bcrypt()}:whose surname is known  \n"
        f"\udce9:{bcrypt()} \nwith blanks:{bcrypt()}\n@/%:  {bcrypt()}"
    )
    table, problems = parse(text)
    assert problems == []
    assert list(table.hashes) == [b"anna", b"b\xc3\xa9la", b"\xe9", b"with blanks", b"@/%"]
    assert {h.text for h in table.hashes.values()} == {bcrypt()}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("anna", "not 'user:hash'"),
        ("anna:", "neither a bcrypt nor"),
        ("anna:open sesame", "neither a bcrypt nor"),
        ("anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
        ("anna:$apr1$abcdefgh$abcdefghijklmnopqrstu0", "MD5"),
        ("anna:$1$abcdefgh$abcdefghijklmnopqrstu0", "MD5"),
        ("anna:$5$salt$5B8vYYiY", "crypt"),
        ("anna:$6$salt$5B8vYYiY", "crypt"),
        ("anna:rqXexS6ZhobKA", "neither a bcrypt nor"),
        ("anna:" + bcrypt()[:-1], "not a whole bcrypt"),
        ("anna:" + bcrypt() + "x", "not a whole bcrypt"),
        ("anna:" + bcrypt(version="x"), "not a whole bcrypt"),
        ("anna:" + bcrypt().replace("uO", "uP"), "not a whole bcrypt"),
        ("anna:" + bcrypt().replace("$12$", "$1\u0662$"), "not a whole bcrypt"),
        ("anna:" + bcrypt(3), "of a cost"),
        ("anna:" + bcrypt(18), "of a cost"),
        ("anna:" + bcrypt(31), "of a cost"),
        ("anna:" + argon2(kind="argon2d"), "argon2d"),
        ("anna:" + argon2().replace("v=19", "v=16"), "not a whole argon2"),
        ("anna:" + argon2().replace("v=19$", ""), "not a whole argon2"),
        ("anna:" + argon2().rpartition("$")[0], "not a whole argon2"),
        ("anna:" + argon2() + "=", "not a whole argon2"),
        ("anna:" + argon2()[:-1] + "J", "not a whole argon2"),  # bits that are unused
        ("anna:" + argon2().replace("c2FsdA$", "c2Fsd$"), "not a whole argon2"),
        ("anna:" + argon2((256 << 10) + 1), "at a cost beyond"),
        ("anna:" + argon2(9_999_999), "at a cost beyond"),
        ("anna:" + argon2(99_999_999), "not a whole argon2"),
        ("anna:" + argon2(256 << 10, 5), "at a cost beyond"),
        ("anna:" + argon2(8, 9_999_999), "at a cost beyond"),
        ("anna:" + argon2(65536, 3, 17), "at a cost beyond"),
        ("anna:" + argon2(31, 3, 4), "too little memory"),
        ("anna:" + argon2(0), "not a whole argon2"),
        (":" + bcrypt(), "no user"),
        ("an:na:" + bcrypt(), "can't hold a colon"),
        (" anna:" + bcrypt(), "a blank"),
        ("anna :" + bcrypt(), "a blank"),
        ("an\tna:" + bcrypt(), "control character"),
        ("an\x00na:" + bcrypt(), "control character"),
        ("an\rna:" + bcrypt(), "control character"),
        ("an\x7fna:" + bcrypt(), "control character"),
        ("\ud800:" + bcrypt(), "not text"),
        ("a" * 256 + ":" + bcrypt(), "longer than 255"),
        ("\u00e9" * 128 + ":" + bcrypt(), "longer than 255"),
        ("a" * (LONGEST_LINE + 1), "longer than 2000"),
    ],
)
def test_a_line_that_names_no_user(line: str, why: str) -> None:
    text = f"first:{bcrypt()}\n{line}\nlast:{bcrypt()}"
    ((number, told),) = errors(text)
    assert number == 2
    assert why in told
    assert list(parse(text)[0].hashes) == [b"first", b"last"]


@pytest.mark.parametrize("hashed", ["plain", "{SHA}x", bcrypt(3), "$argon2d$x", ""])
def test_what_to_do_is_said(hashed: str) -> None:
    assert "htpasswd -B" in errors(f"anna:{hashed}")[0][1]


def test_a_user_twice() -> None:
    table, problems = parse(f"anna:{bcrypt()}\n#\nanna:{bcrypt(13)}\nAnna:{bcrypt()}")
    assert [(p.line, p.text) for p in problems] == [(3, "the same user as in line 1")]
    assert table.hashes[b"anna"].text == bcrypt(), "the first stays"
    assert len(table.hashes) == 2


def test_the_number_of_users_is_bounded() -> None:
    text = "".join(f"{n}:{bcrypt()}\n" for n in range(MOST_USERS))
    assert parse(text)[1] == []
    ((line, told),) = errors(text + f"one:{bcrypt()}\nmore:{bcrypt()}\n")
    assert line == MOST_USERS + 1
    assert "more than 10000" in told


def test_the_length_is_bounded() -> None:
    comment = f"anna:{bcrypt()}\n#" + "a" * MOST_CHARACTERS
    table, problems = parse(comment)
    assert not table.hashes
    assert [(p.line, p.severity) for p in problems] == [(0, ERROR), (0, WARNING)]


def test_the_number_of_problems_is_bounded() -> None:
    assert len(parse("x\n" * 100_000)[1]) < 200


def test_warnings() -> None:
    assert warnings("# nobody") == ["names no user: nobody gets in"]
    assert warnings(f"a:{bcrypt(12)}\nb:{bcrypt(12)}") == []
    (differ,) = warnings(f"a:{bcrypt(12)}\nb:{bcrypt(11)}")
    assert "differ" in differ
    (weak,) = warnings(f"a:{bcrypt(5)}\nb:{bcrypt(5)}")
    assert "-C 12" in weak
    assert len(warnings(f"a:{bcrypt(12)}\nb:{argon2()}")) == 1


@pytest.mark.parametrize(
    ("hashes", "decoy"),
    [
        ([bcrypt(4), bcrypt(12), bcrypt(11)], "$2y$12$" + "." * 53),
        ([bcrypt(4), argon2()], argon2().rpartition("$")[0].rpartition("$")[0] + "$"),
        ([bcrypt(13), argon2(8, 1, 1)], "$2y$13$"),
        ([argon2(8, 1, 1), argon2(9, 1, 1, "argon2i")], "$argon2i$v=19$m=9,t=1,p=1$"),
    ],
)
def test_the_decoy_costs_as_much_as_the_costliest(hashes: list[str], decoy: str) -> None:
    table, _ = parse("\n".join(f"user{n}:{h}" for n, h in enumerate(hashes)))
    assert table.decoy is not None
    assert table.decoy.text.startswith(decoy)
    assert table.decoy.text not in hashes
    # It is a hash that would be taken itself, of the same cost.
    again = parse(f"x:{table.decoy.text}")[0].hashes[b"x"]
    assert again == table.decoy
    assert again.work == max(h.work for h in table.hashes.values())


def test_without_users_there_is_no_decoy() -> None:
    assert parse("")[0].decoy is None


PIECES = st.sampled_from(
    ["anna", ":", "\n", "\r", "#", " ", "$", bcrypt(), argon2(), "$2y$", "{SHA}", "\ud800", "\0"]
)


@given(st.text() | st.lists(PIECES, max_size=12).map("".join))
@example("\ufeff\ufeff:")
@example(f"a:b:{bcrypt(31)}")
def test_no_text_raises(text: str) -> None:
    table, problems = parse(text)
    assert len(table.hashes) <= text.count(":")
    for problem in problems:
        assert 0 <= problem.line <= text.count("\n") + 1
        assert problem.text.isprintable()


SECRET = st.text("XYZ0123456789", min_size=8, max_size=60).map("QQQ{}".format)


@given(SECRET, st.sampled_from(["{}", "anna:{}", "{}:", "$2y${}", "anna:$argon2id${}", "a:{}:b"]))
def test_nothing_of_a_line_is_repeated(secret: str, line: str) -> None:
    for problem in parse(line.format(secret))[1]:
        assert "QQQ" not in str(problem)


def test_hashes_do_not_show() -> None:
    table, _ = parse(f"anna:{bcrypt()}")
    assert re.search("anna|abcdef", repr(table) + repr(table.hashes[b"anna"])) is None


# From the environment.


def test_environment() -> None:
    environ = {"BASIC_AUTH_USERNAME": "\u00e9", "BASIC_AUTH_PASSWORD": "a:\udcff b"}
    assert parse_environment(environ) == ("\u00e9".encode(), b"a:\xff b")


@pytest.mark.parametrize(
    ("user", "password", "why"),
    [
        (None, "secret-1", "USERNAME is not set"),
        ("", "secret-1", "USERNAME is not set"),
        ("a", None, "PASSWORD is not set"),
        ("a", "", "PASSWORD is not set"),
        ("a:b", "secret-1", "USERNAME can't hold a colon"),
        ("a\n", "secret-1", "USERNAME holds a control"),
        ("a", "secret-1\n", "PASSWORD holds a control"),
        ("a", "secret-1" * 200, "exceed 1024 octets"),
    ],
)
def test_environment_with_a_mistake(user: str | None, password: str | None, why: str) -> None:
    said = {"BASIC_AUTH_USERNAME": user, "BASIC_AUTH_PASSWORD": password}
    with pytest.raises(ValueError, match=why) as raised:
        parse_environment({name: value for name, value in said.items() if value is not None})
    assert "secret-1" not in str(raised.value)
