"""The classifier of messages: that it has learned the lines beside it, and how well it does on those of others."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from helpers.basics import SHARED_DATA
from helpers.language import complexity, features_of
from training.lines import Example, Line, digest, examples, measured_lines, our_lines, read_lines, shares

from worker.language.classifier import (
    COMPLEX,
    MAX_CHARS,
    MEDIUM,
    SIMPLE,
    WEIGHTS,
    Classifier,
    Kind,
    Weights,
    classifier,
    guess_intent,
)
from worker.replies.decision import Intent

LEAST_LINES = 1_000
LEAST_MESSAGES = 3_000
MOST_BYTES = 500_000
#: Written by somebody who has seen neither lines nor code; a little under what is reached.
FRESH = SHARED_DATA / "utterances" / "fresh_a.tsv"
LEAST_INTENT, LEAST_COMPLEXITY = 0.88, 0.90
NO_SKLEARN = "scikit-learn trains the classifier; it is not installed here"


def shipped() -> Weights:
    """The weights that are shipped."""
    return msgspec.msgpack.decode(WEIGHTS.read_bytes(), type=Weights)


def test_the_lines_are_well_formed() -> None:
    """Enough of them, each once, of every intent and complexity and no other."""
    lines = our_lines()
    assert len(lines) >= LEAST_LINES
    assert sorted(lines, key=repr) == sorted(set(lines), key=repr)
    assert {line.intent for line in lines} == set(get_args(Intent))
    assert {line.complexity for line in lines} == {SIMPLE, MEDIUM, COMPLEX}


def test_the_weights_are_of_these_lines() -> None:
    """Whoever changes a line trains again (`make train`)."""
    assert shipped().lines == digest([*our_lines(), *measured_lines()])


def test_the_weights_are_small() -> None:
    """They are part of every process."""
    assert WEIGHTS.stat().st_size < MOST_BYTES


def test_messages_written_after_lines_are_the_same_for_a_seed() -> None:
    """Else nobody could train the same weights again."""
    lines = our_lines()[::5]
    written = examples(lines, 1)
    assert len(written) >= LEAST_MESSAGES
    assert written == examples(lines, 1)
    assert written != examples(lines, 2)


def test_a_line_of_another_form_is_named(tmp_path: Path) -> None:
    """A shop's own file may be wrong."""
    file = tmp_path / "own.tsv"
    file.write_text("# comment\n\nhola\tgreeting\tsimple\nhola greeting simple\n", "utf-8")
    with pytest.raises(ValueError, match=r"own\.tsv: a line is text, intent and complexity"):
        read_lines(file)


def test_choices_and_slots_are_filled() -> None:
    """No message holds what only a line may."""
    texts = [example.plain for example in examples(our_lines()[::5], 1)]
    assert [text for text in texts if any(sign in text for sign in "{}|")] == []


def test_messages_of_others() -> None:
    """The figures that count: on lines of somebody else, which are never learned."""
    if not FRESH.is_file():
        pytest.skip("the lines of others are not part of the repository")
    rows = [line.split("\t") for line in FRESH.read_text("utf-8").splitlines()[1:]]
    intents = sum(guess_intent(row[2]) == row[3] for row in rows) / len(rows)
    complexities = sum(complexity(row[2]) == row[4] for row in rows) / len(rows)
    print(f"intent {intents:.3f}, complexity {complexities:.3f} of {len(rows)}")  # noqa: T201  the measurement
    assert (intents >= LEAST_INTENT, complexities >= LEAST_COMPLEXITY) == (True, True)


def test_nothing_written_is_an_answer() -> None:
    """An empty text, or one of signs only, says nothing."""
    assert classifier().kind_of("") == Kind("unknown", SIMPLE)


def test_only_the_beginning_of_a_story_is_read() -> None:
    """So that a long message costs no more than a short one."""
    assert features_of("leche y pan " * 400) == features_of(("leche y pan " * 400)[:MAX_CHARS])


def test_a_product_stands_for_every_other() -> None:
    """What was learned of one holds of those that no line names."""
    assert features_of("hay leche") == features_of("hay zucchini")
    assert features_of("hay leche") != features_of("hay lugar")


def test_sums_are_those_of_the_weights() -> None:
    """Adding all classes in one number gives what adding each would."""
    weights = Weights(
        seed=1,
        lines="",
        classes=(("greeting", SIMPLE), ("search_product", MEDIUM)),
        features="=hola\n=hay\n^ hay\n<words>>=0",
        weights=bytes([255, 0, 0, 255, 128, 255, 128, 128]),
        scales=(0.1, 0.1),
        biases=(0.0, 0.0),
    )
    small = Classifier(weights)
    assert small.kind_of("hola") == Kind("greeting", SIMPLE)
    assert small.kind_of("hay") == Kind("search_product", MEDIUM)
    assert small.kind_of("hola " * 60 + "hay hay") == Kind("greeting", SIMPLE)


def few_examples() -> list[Example]:
    """Messages after a fortieth of the lines."""
    return examples([*our_lines(), *measured_lines()][::40], 1)


def test_the_same_lines_give_the_same_weights() -> None:
    """Training leaves nothing to chance."""
    fitting = pytest.importorskip("training.fitting", reason=NO_SKLEARN)
    learned, expected = few_examples(), shares(measured_lines())
    assert fitting.fit(learned, expected, 1, "") == fitting.fit(learned, expected, 1, "")


def test_a_shop_teaches_its_own_words() -> None:
    """Lines of one's own are learned beside ours."""
    fitting = pytest.importorskip("training.fitting", reason=NO_SKLEARN)
    own = [Line(f"=({'|'.join(f'chirimbolo{n} zafarrancho' for n in range(12))})", "clear_cart", MEDIUM)] * 2
    learned = examples([*our_lines(), *measured_lines()][::40] + own, 1)
    taught = Classifier(fitting.fit(learned, shares(measured_lines()), 1, ""))
    assert taught.kind_of("zafarrancho chirimbolo") == Kind("clear_cart", MEDIUM)
    assert classifier().kind_of("zafarrancho chirimbolo") != Kind("clear_cart", MEDIUM)


@pytest.mark.long
def test_what_is_shipped_can_be_trained_again() -> None:
    """Other processors round otherwise, so hardly any message may be judged otherwise."""
    fitting = pytest.importorskip("training.fitting", reason=NO_SKLEARN)
    weights = shipped()
    learned = examples([*our_lines(), *measured_lines()], weights.seed)
    again = Classifier(fitting.fit(learned, shares(measured_lines()), weights.seed, weights.lines))
    same = sum(again.kind_of(each.plain) == classifier().kind_of(each.plain) for each in learned)
    assert same >= 0.995 * len(learned)
