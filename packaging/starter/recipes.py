"""How large the checkpoint is, what it knows and how long it learns: for a machine with a GPU, and for one without."""

from __future__ import annotations

from dataclasses import dataclass

CONCEPTS = (
    *("cat-face", "dog-face", "panda", "fox", "pig-face", "frog", "lion", "penguin", "owl", "butterfly", "lady-beetle"),
    *("fish", "octopus", "crab", "turtle", "elephant"),
    *("cactus", "evergreen-tree", "palm-tree", "four-leaf-clover", "maple-leaf", "mushroom", "sunflower", "rose"),
    *("red-apple", "pear", "tangerine", "lemon", "banana", "watermelon", "strawberry", "cherries", "pineapple"),
    *("avocado", "eggplant", "carrot", "doughnut", "cookie", "pizza", "hamburger", "cupcake", "soft-ice-cream"),
    *("lollipop", "hot-beverage"),
    *("automobile", "rocket", "sailboat", "house", "umbrella", "balloon", "soccer-ball", "light-bulb", "crown", "bomb"),
    *("snowman", "jack-o-lantern", "ghost", "robot", "red-heart", "star", "sun", "crescent-moon", "rainbow"),
    "grinning-face",
)
"""What the checkpoint knows, by the names of the icon sets; the recipe of the program suggests the same."""

MORE_CONCEPTS = (
    *("mouse-face", "hamster", "rabbit-face", "bear", "koala", "tiger-face", "cow-face", "monkey-face", "chicken"),
    *("eagle", "duck", "bat", "wolf", "horse-face", "unicorn", "honeybee", "bug", "snail", "ant", "spider", "scorpion"),
    *("snake", "lizard", "squid", "shrimp", "lobster", "tropical-fish", "blowfish", "dolphin", "whale", "shark"),
    *("crocodile", "giraffe", "camel", "kangaroo", "ewe", "deciduous-tree", "tulip", "cherry-blossom", "green-apple"),
    *("grapes", "peach", "mango", "coconut", "kiwi-fruit", "tomato", "broccoli", "ear-of-corn", "hot-pepper", "potato"),
    *("bread", "croissant", "pretzel", "cheese-wedge", "egg", "pancakes", "french-fries", "hot-dog", "taco", "popcorn"),
    *("birthday-cake", "shortcake", "pie", "chocolate-bar", "candy", "ice-cream", "beer-mug", "taxi", "bus"),
    *("police-car", "ambulance", "fire-engine", "tractor", "bicycle", "locomotive", "airplane", "ship", "helicopter"),
    *("flying-saucer", "castle", "tent", "mount-fuji", "volcano", "full-moon", "cloud", "snowflake", "fire"),
    *("basketball", "baseball", "wrapped-gift", "christmas-tree", "trophy", "guitar", "violin", "trumpet", "drum"),
    *("camera", "television", "laptop", "mobile-phone", "key", "hammer", "top-hat", "t-shirt", "jeans", "dress"),
    *("running-shoe", "glasses", "backpack", "alarm-clock", "magnet", "gem-stone", "alien", "skull", "scissors"),
    *("pencil", "envelope", "anchor", "bell", "books", "broom", "candle", "chair", "compass", "couch-and-lamp"),
    *("crayon", "diamond-suit", "door", "ferris-wheel", "fountain-pen", "hamsa", "hourglass-done", "joystick"),
    *(
        "kite",
        "lotus",
        "microscope",
        "newspaper",
        "parachute",
        "peacock",
        "ringed-planet",
        "sled",
        "telescope",
        "yo-yo",
    ),
)


@dataclass(frozen=True)
class Recipe:
    """Sizes in pixels or channels, shares of the pictures, and how long to learn."""

    name: str
    side: int
    styles: tuple[str, ...]
    concepts: tuple[str, ...]
    share_filtered: float
    """Of the pictures: drawn in one of the ways of ``filters.py``."""
    share_pairs: float
    """Two things, with a word for where they are."""
    share_placed: float
    """A small thing, with a word for its place."""
    share_others: float
    """Things that are not among the concepts, so that words and shapes beyond them are not strange."""
    codec_channels: int
    codec_steps: int
    codec_batch: int
    unet_channels: tuple[int, int, int]
    text_width: int
    text_layers: int
    vocabulary: int
    pictures: int
    """Made before training, and seen again and again under other captions."""
    batch: int
    rate: float
    steps: int
    codec_blocks: tuple[tuple[int, int, int], tuple[int, int, int]] = ((0, 1, 2), (2, 1, 1))
    tokens: int = 24


CPU = Recipe(
    name="cpu",
    side=64,
    styles=("flat", "cartoon"),
    concepts=CONCEPTS,
    share_filtered=0.16,
    share_pairs=0.05,
    share_placed=0.05,
    share_others=0.1,
    codec_channels=32,
    codec_steps=3000,
    codec_batch=4,
    unet_channels=(64, 96, 176),
    text_width=128,
    text_layers=2,
    vocabulary=3000,
    pictures=24_000,
    batch=32,
    rate=1.5e-3,
    steps=10_000,
)

GPU = Recipe(
    name="gpu",
    side=128,
    styles=("flat", "glossy", "cartoon"),
    concepts=(*CONCEPTS, *MORE_CONCEPTS),
    share_filtered=0.2,
    share_pairs=0.1,
    share_placed=0.08,
    share_others=0.15,
    codec_channels=64,
    codec_steps=6000,
    codec_batch=64,
    codec_blocks=((0, 2, 3), (3, 2, 1)),
    unet_channels=(64, 128, 240),
    text_width=192,
    text_layers=3,
    vocabulary=4000,
    pictures=60_000,
    batch=256,
    rate=8e-4,
    steps=8000,
)

RECIPES = {recipe.name: recipe for recipe in (CPU, GPU)}
