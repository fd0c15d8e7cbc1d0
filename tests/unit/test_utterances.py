"""How well messages are understood, measured on utterances as customers type them (tests/data/utterances.tsv)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from helpers.basics import REPOSITORY, SHARED_DATA
from helpers.language import common_form, complexity, means_the_same_everywhere

from worker.catalog.price_list import read_products
from worker.devkit.demo import CATALOG
from worker.language.classifier import COMPLEX, MEDIUM, SIMPLE, guess_intent
from worker.language.product_words import product_words_of
from worker.replies.decision import Intent

LEAST_UTTERANCES = 450
#: A little under what is reached, so that a change for the worse is seen.
LEAST_COMPLEXITY = 0.97
LEAST_SHARED_RECALL = 0.93
LEAST_INTENT = 0.90
LEAST_INTENT_MACRO_F1 = 0.96

#: Whatever stands behind these, they make it part of a conversation.
LEANING_HEADS = ("y ", "dale, ", "si, ", "no, ", "ok ", "entonces ", "tambien ", "pero ", "ese y ", "agregame 2, ")
LEANING_TAILS = (
    " de esos",
    " como la de ayer",
    " mas barato",
    " para mi",
    " y agregame 2",
    " que te dije",
    " tambien",
    " o ese",
    " del segundo",
    " en mi pedido",
)
#: Words that more than one pattern knows, to be written over and over.
REPEATED = [
    "saludos buenas noches gracias hola y jaja todo bien disculpa ",
    "una consulta ",
    "que tal buenas ",
    "tenes leche y cuanto sale ",
    "lunes a viernes y sabados ",
    "efectivo y tarjeta de credito o debito ",
    "quiero saber si me decis ",
    "saludos ",
    "jajaja ",
    "2 1,5 ",
]
FOREIGN = SHARED_DATA / "utterances"
REAL_CATALOG = SHARED_DATA / "catalog" / "supermarket_es.csv"
#: Thanks confirm nothing, although some count them among the ways to confirm.
CONFIRMING_NOTHING = frozenset({"Muchas gracias"})
#: Small talk that stands among the intents of a conversation.
SMALL_TALK_INTENTS = frozenset({"Help", "None", "intent"})


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled line."""

    text: str
    complexity: str
    shared: bool
    intent: str


@dataclass(frozen=True, slots=True)
class Score:
    """Precision and recall of one class, 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / ((self.precision + self.recall) or 1)


def read_utterances() -> list[Utterance]:
    """All labelled lines of the data file."""
    lines = (REPOSITORY / "tests" / "data" / "utterances.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Utterance(text, level, {"yes": True, "no": False}[shared], intent) for text, level, shared, intent in rows]


UTTERANCES = read_utterances()
SHARED = [each.text for each in UTTERANCES if each.shared]


def scores(pairs: Iterable[tuple[str, str]]) -> dict[str, Score]:
    """Precision and recall by class, from pairs of what is expected and what is said; printed for whoever looks."""
    counted = Counter(pairs)
    expected, said = Counter[str](), Counter[str]()
    for (right, answer), times in counted.items():
        expected[right] += times
        said[answer] += times
    result = {c: Score(counted[c, c] / (said[c] or 1), counted[c, c] / (expected[c] or 1)) for c in expected | said}
    for name, score in sorted(result.items()):
        print(f"{name:22} precision {score.precision:.3f}  recall {score.recall:.3f}")  # noqa: T201  the measurement
    return result


def mistakes(guess: Callable[[str], str], expected: Callable[[Utterance], str]) -> list[str]:
    """What was taken for something else, in words."""
    return [
        f"{each.text}: {expected(each)}, not {guess(each.text)}"
        for each in UTTERANCES
        if guess(each.text) != expected(each)
    ]


def test_the_data_are_well_formed() -> None:
    """Enough different lines, of known classes, and something of every class."""
    assert len(UTTERANCES) >= LEAST_UTTERANCES
    assert max(Counter(each.text for each in UTTERANCES).values()) == 1
    assert {each.complexity for each in UTTERANCES} == {SIMPLE, MEDIUM, COMPLEX}
    assert {each.intent for each in UTTERANCES} == set(get_args(Intent))
    assert len(SHARED) >= LEAST_UTTERANCES // 3


def test_complexity() -> None:
    """Each class is found, and little else is taken for it. The lines are learned too: how well the classifier does on
    those that it never saw, test_classifier says.
    """
    result = scores((each.complexity, complexity(each.text)) for each in UTTERANCES)
    worst = min(min(score.precision, score.recall) for score in result.values())
    assert worst >= LEAST_COMPLEXITY, mistakes(complexity, lambda each: each.complexity)


@pytest.mark.parametrize("catalog", [None, CATALOG, REAL_CATALOG], ids=["none", "shipped", "real"])
def test_no_message_that_leans_on_its_session_is_shared(catalog: Path | None) -> None:
    """The worst error there is here: one customer would get the answer to another's conversation. What a shop calls its
    products changes nothing in that.
    """
    if catalog is not None and not catalog.exists():
        pytest.skip("the real product list is not beside this checkout")
    rows = read_products(catalog) if catalog else []
    product_words = product_words_of((row["name"] for row in rows), {row["category"] for row in rows})
    assert [each.text for each in UTTERANCES if not each.shared and common_form(each.text, product_words)] == []


def test_most_messages_that_could_be_shared_are() -> None:
    """What is missed costs a model call each time."""
    missed = [text for text in SHARED if not means_the_same_everywhere(text)]
    recall = 1 - len(missed) / len(SHARED)
    print(f"shared: recall {recall:.3f} of {len(SHARED)}")  # noqa: T201  the measurement
    assert recall >= LEAST_SHARED_RECALL, missed


def test_intents() -> None:
    """No intent is badly guessed, and together they are guessed well."""
    result = scores((each.intent, guess_intent(each.text)) for each in UTTERANCES)
    assert set(result) <= set(get_args(Intent))
    wrong = mistakes(guess_intent, lambda each: each.intent)
    assert min(min(score.precision, score.recall) for score in result.values()) >= LEAST_INTENT, wrong
    assert sum(score.f1 for score in result.values()) / len(result) >= LEAST_INTENT_MACRO_F1, wrong


@pytest.mark.parametrize("head", LEANING_HEADS)
def test_what_stands_before_it_can_tie_any_message_to_its_session(head: str) -> None:
    """Nothing is shared behind a word that answers, adds or goes on."""
    assert [text for text in SHARED if means_the_same_everywhere(head + text)] == []


@pytest.mark.parametrize("tail", LEANING_TAILS)
def test_what_stands_behind_it_can_tie_any_message_to_its_session(tail: str) -> None:
    """Nothing is shared before a word that points back, compares or speaks of one's own."""
    assert [text for text in SHARED if means_the_same_everywhere(text.rstrip("?!. ") + tail)] == []


@pytest.mark.parametrize("phrase", REPEATED)
@pytest.mark.parametrize("understand", [complexity, means_the_same_everywhere, guess_intent])
def test_no_message_takes_for_ever(understand: Callable[[str], object], phrase: str) -> None:
    """A pattern that tries all ways to read a repeated word would hang a worker on one message."""
    for length_chars in (150, 210, 290, 4096):
        began_s = time.thread_time()
        understand((phrase * length_chars)[:length_chars] + "x")
        assert time.thread_time() - began_s < 1


def foreign(file: str) -> list[tuple[str, str]]:
    """Intent and text of a file of foreign utterances, which are not part of the repository."""
    if not (FOREIGN / file).is_file():
        pytest.skip("the foreign utterances are not part of the repository")
    rows = (line.split("\t") for line in (FOREIGN / file).read_text(encoding="utf-8").splitlines())
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("file", ["ms_botframework_lu_es.tsv", "ms_skills_todo_shopping_es.tsv"])
def test_no_foreign_answer_or_command_is_shared(file: str) -> None:
    """Ways to confirm, refuse, choose, go on and keep a list, collected by others for other assistants."""
    spoken = [text for intent, text in foreign(file) if intent not in SMALL_TALK_INTENTS]
    assert len(spoken) >= 200
    assert {text for text in spoken if means_the_same_everywhere(text)} <= CONFIRMING_NOTHING
