"""Labels of a chart: none covers another, nor a point."""

from pipeline.report.labels import LETTER, Labels, around


def test_labels_of_a_crowd_cover_neither_each_other_nor_a_point() -> None:
    points = [(300.0 + 9 * number, 200.0 + 5 * (number % 3)) for number in range(18)]
    boxes = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    labels = Labels((0, 0, 560, 400), boxes, [(0, 210), (560, 210)])
    name = "imdb_lstm_best"
    for x, y in points:
        right, baseline, anchor = labels.place(name, around(x, y))
        left = right - {"start": 0, "middle": LETTER * len(name) / 2, "end": LETTER * len(name)}[anchor]
        box = (left, baseline - 10, left + LETTER * len(name), baseline + 2)
        for other in boxes:
            apart = box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
            assert apart, (box, other)
        boxes.append(box)
