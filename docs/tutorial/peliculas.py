"""Write 300 invented film remarks in mixed Spanish and English to stdout, as CSV: the tutorial's stand-in for rows of
your own.

    python docs/tutorial/peliculas.py > peliculas.csv
"""

import csv
import itertools
import random
import sys


ROWS = 300
OPENINGS = [
    "la película was",
    "honestly, la historia was",
    "el final was",
    "the actors estuvieron",
    "toda la trama felt",
]
FEELINGS = {
    "positive": ["so bonita", "really divertida", "muy emocionante", "super original", "increíble", "pretty linda"],
    "negative": ["so aburrida", "really tonta", "muy lenta", "super predecible", "horrible", "pretty floja"],
}
CLOSINGS = {
    "positive": [
        "and I cried de la risa",
        "la veo otra vez tonight",
        "highly recomendada",
        "worth cada minuto",
        "qué gusto to see it",
    ],
    "negative": [
        "and I left a la mitad",
        "never otra vez",
        "no la recomiendo at all",
        "what a pérdida de tiempo",
        "me dormí twice",
    ],
}


def main() -> None:
    """Draw the rows, half of each label, in mixed order."""
    draw = random.Random(0)
    rows: list[tuple[str, str]] = []
    for label, feelings in FEELINGS.items():
        texts = [f"{a} {b}, {c}" for a, b, c in itertools.product(OPENINGS, feelings, CLOSINGS[label])]
        rows += [(text, label) for text in draw.sample(texts, ROWS // len(FEELINGS))]
    draw.shuffle(rows)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows(rows)


if __name__ == "__main__":
    main()
