"""Draw 900 pictures of three shapes, each on a noisy background, into shapes/CLASS/."""

import random
from pathlib import Path

from PIL import Image, ImageDraw

random.seed(0)
for number in range(900):
    shape = ["cross", "disc", "square"][number % 3]
    picture = Image.effect_noise((64, 64), 40).convert("RGB")
    draw, ink = ImageDraw.Draw(picture), tuple(random.choices(range(256), k=3))
    x, y, size = random.randint(24, 40), random.randint(24, 40), random.randint(14, 20)
    box = (x - size, y - size, x + size, y + size)
    if shape == "cross":
        draw.line((x - size, y, x + size, y), ink, width=8)
        draw.line((x, y - size, x, y + size), ink, width=8)
    else:
        (draw.ellipse if shape == "disc" else draw.rectangle)(box, fill=ink)
    Path("shapes", shape).mkdir(parents=True, exist_ok=True)
    picture.save(f"shapes/{shape}/{number}.png")
