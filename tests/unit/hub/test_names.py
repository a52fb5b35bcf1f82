"""The names of a repository: which are the same, which comes first, and which are lost."""

from adapters.repositories import repository
from hub.names import MOST_KEYS, MOST_NAMES, Name, called, former, keys_of, without

OLD = Name("acme/old", frozenset({"h/acme/old"}))
NEW = Name("acme/new", frozenset({"h/acme/new"}))


def test_a_new_name_comes_first_and_the_old_one_stays() -> None:
    """And back: it is called by the old one again."""
    assert called((OLD,), NEW) == (NEW, OLD)
    assert called((NEW, OLD), OLD) == (OLD, NEW)


def test_what_shares_a_key_is_the_same_name() -> None:
    """A payload may name fewer or more URLs than the last one."""
    more = Name("acme/new", frozenset({"h/acme/new", "h:3000/acme/new"}))
    assert called((NEW, OLD), more) == (more, OLD)
    assert called((more, OLD), NEW) == (more, OLD)


def test_a_name_that_joins_two_is_both() -> None:
    """Nothing is twice."""
    both = Name("acme/new", OLD.keys | NEW.keys)
    assert called((NEW, OLD), both) == (both,)


def test_names_and_their_keys_do_not_grow_for_ever() -> None:
    """A forge that never stops renaming, or lists ever new URLs of one name, has the last ones."""
    names: tuple[Name, ...] = ()
    for number in range(MOST_NAMES + 5):
        names = called(names, Name("", frozenset({f"h/{number}"})))
    assert len(names) == MOST_NAMES
    assert names[0].keys == {f"h/{MOST_NAMES + 4}"}
    for number in range(MOST_KEYS + 5):
        names = called(names, Name("", frozenset({"h/a", f"h:{number}/a"})))
    assert len(names[0].keys) <= MOST_KEYS


def test_a_name_that_is_anothers_is_lost_whole() -> None:
    """By any of its keys."""
    both = Name("acme/old", frozenset({"h/acme/old", "ssh.h/acme/old"}))
    assert without((NEW, both), OLD.keys) == (NEW,)
    assert without((both,), OLD.keys) == ()


def test_a_former_name_has_the_same_hosts() -> None:
    """With their ports, and the paths before the name."""
    found = repository(
        identifier=1,
        full_name="Acme/New",
        clone_url="https://git.example.com:3000/git/Acme/New.git",
        ssh_url="git@ssh.example.com:Acme/New.git",
    )
    assert former(found, "Former/Old") == Name(
        "Former/Old",
        frozenset(
            {
                "git.example.com/git/former/old",
                "git.example.com:3000/git/former/old",
                "ssh.example.com/former/old",
            }
        ),
    )


def test_a_former_name_that_is_none_has_no_keys() -> None:
    """Whatever a payload says."""
    found = repository(identifier=1, full_name="a/b", clone_url="https://h.test/a/b")
    for name in ("", "/", "..", "../../x", "a\x00b", "\\"):
        assert former(found, name).keys == frozenset()
    nameless = repository(identifier=1, full_name="", clone_url="")
    assert former(nameless, "a/b").keys == frozenset()


def test_all_keys_of_no_names_are_none() -> None:
    """An empty set."""
    assert keys_of(()) == frozenset()
    assert keys_of((NEW, OLD)) == NEW.keys | OLD.keys
