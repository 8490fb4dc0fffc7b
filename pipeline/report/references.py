"""Published results on the same test sets, for the chart of error against cost and a table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A published test accuracy in percent; `note` names differences from this project's protocol."""

    data: str
    name: str
    accuracy: float
    source: str
    note: str = ""


NOTEBOOK, UNLABELLED = "the lecture's notebook", "with unlabelled reviews"
REFERENCES = (
    Reference("mnist", "the lecture's CNN", 97.49, NOTEBOOK, "one run, validated on test"),
    Reference("mnist", "deep MLP, distorted digits", 99.65, "Cireșan et al. 2010, arXiv:1003.0358"),
    Reference("mnist", "DropConnect, five nets", 99.79, "Wan et al. 2013, ICML"),
    Reference("mnist", "ensemble of simple CNNs", 99.91, "An et al. 2020, arXiv:2008.10400", "chosen on test"),
    Reference("imdb", "the lecture's GRU", 81.78, NOTEBOOK, "one run, validated on test"),
    Reference("imdb", "NB-SVM", 91.22, "Wang and Manning 2012, ACL"),
    Reference("imdb", "SA-LSTM", 92.76, "Dai and Le 2015, arXiv:1511.01432", UNLABELLED),
    Reference("imdb", "virtual adversarial LSTM", 94.09, "Miyato et al. 2017, arXiv:1605.07725", UNLABELLED),
    Reference("imdb", "tv-LSTM", 94.06, "Johnson and Zhang 2016, arXiv:1602.02373", UNLABELLED),
    Reference("imdb", "mixed objectives", 95.68, "Sachan et al. 2019, arXiv:2009.04007", UNLABELLED),
)


def markdown() -> list[str]:
    """The table in markdown, a row for each reference."""
    rows = [
        f"| {reference.data} | {reference.name} | {reference.accuracy} % | {reference.source} | {reference.note} |"
        for reference in REFERENCES
    ]
    return ["| data | system | test accuracy | source | note |", "| --- | --- | --- | --- | --- |", *rows]
