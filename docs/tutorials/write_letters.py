"""Write 600 short letters, orders and complaints, to letters.csv."""

import csv
import random
from pathlib import Path

ITEMS = ["tea", "cups", "chairs", "lamps", "books", "shoes", "bags", "coats"]
ORDERS = ["please send me {n} {item}", "I would like to order {n} {item}", "we need {n} more {item} by Friday"]
COMPLAINTS = ["the {item} arrived broken", "I return the {n} {item}, they are faulty", "where are my {n} {item}"]

random.seed(0)
with Path("letters.csv").open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    for _ in range(300):
        for label, sentences in (("order", ORDERS), ("complaint", COMPLAINTS)):
            words = {"n": random.randint(2, 99), "item": random.choice(ITEMS)}
            writer.writerow([random.choice(sentences).format(**words), label])
