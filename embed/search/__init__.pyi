from .imagenet_words import has_imagenet_words as has_imagenet_words
from .searching import (
    SearchConfig as SearchConfig,
    SearchResult as SearchResult,
    VideoSearcher as VideoSearcher,
    search_store as search_store,
)
from .spans import Hit as Hit
from .terms import Term as Term, example_term as example_term, parse_terms as parse_terms, read_picture as read_picture
