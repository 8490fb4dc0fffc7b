"""Wrong labels: known ones of the test set are counted by hand, judged ones of the train set are all listed."""

from pipeline.evaluation.judged_labels import JUDGED
from pipeline.evaluation.known_label_errors import KNOWN_LABEL_ERRORS
from pipeline.report import wrong_labels
from pipeline.runs import results
from pipeline.runs.results import Result
from tests.report.test_uncertainty import entry


def test_errors_at_known_wrong_labels_are_counted_beside_all_errors() -> None:
    wrong = {*KNOWN_LABEL_ERRORS["mnist"][:9], 0, 1, 2}
    right = "".join("01"[place not in wrong] for place in range(10_000))
    recorded: Result = {**entry(accuracy=0.9988), "right": results.pack(right)}
    lines = wrong_labels.in_test({"cnn": [recorded], "mlp": [entry(accuracy=0.98)]})
    assert "| cnn | 12.0 | 9.0 |" in lines
    assert "Not recorded: mlp." in lines
    assert wrong_labels.in_test({"lstm": [entry(data="imdb", accuracy=0.9)]}) == []


def test_every_judged_label_is_listed_once_and_names_another_class() -> None:
    page = "\n".join(wrong_labels.in_train())
    assert len({each.number for each in JUDGED}) == len(JUDGED)
    assert all(each.label != each.suspected for each in JUDGED)
    assert all(page.count(f" {each.number}: {each.label}, {each.suspected}") == 1 for each in JUDGED)
