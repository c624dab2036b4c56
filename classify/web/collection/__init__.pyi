from .card import read_card as read_card
from .collection import (
    Collection as Collection,
    doubts_of as doubts_of,
    likeliest as likeliest,
    open_collection as open_collection,
    public_name as public_name,
)
from .library import Library as Library
from .listing import (
    ORDERS as ORDERS,
    By as By,
    Filter as Filter,
    Opinions as Opinions,
    Order as Order,
    human_labels as human_labels,
    is_labelled as is_labelled,
    list_places as list_places,
    novelties as novelties,
)
from .map import CollectionMap as CollectionMap, draw_map as draw_map, labels_on_map as labels_on_map
from .opinions import OpinionCache as OpinionCache
from .searching import (
    MOST_HITS as MOST_HITS,
    CollectionSearcher as CollectionSearcher,
    result_to_json as result_to_json,
    text_search_of as text_search_of,
)
from .shown import describe_vectors as describe_vectors, human_to_json as human_to_json, timeline_of as timeline_of
from .similar import Example as Example, find_similar as find_similar
