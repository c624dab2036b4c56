"""The messages inside TFRecords: tf.train.Example and SequenceExample, read and written without TensorFlow.

An Example is read as a SequenceExample without lists: both keep their features in field 1.

Source: tensorflow/core/example/example.proto and feature.proto.
"""

from functools import cache
from typing import Any

from embed.interchange.tfrecords import missing_packages

_PACKAGE = "framehead.example"  # not tensorflow's, which may be in this process, too
_VALUES = (("BytesList", "TYPE_BYTES"), ("FloatList", "TYPE_FLOAT"), ("Int64List", "TYPE_INT64"))


class MessageError(ValueError):
    """A record is not the message that it should be."""


def parse_example(record: bytes) -> Any:
    """Return an Example or a SequenceExample, with the attributes `context` and `feature_lists`.

    Raises:
        MessageError: it is neither.
        SourceError: a package is not installed.
    """
    message_class, error_class = _sequence_example()
    try:
        return message_class.FromString(record)
    except error_class as error:
        raise MessageError("it is no Example and no SequenceExample") from error


def new_example() -> Any:
    """Return an empty SequenceExample to be filled.

    Raises:
        SourceError: a package is not installed.
    """
    return _sequence_example()[0]()


@cache
def _sequence_example() -> tuple[Any, type[Exception]]:
    """Return the message's class, and the error that it raises for other bytes."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
    except ImportError as error:
        raise missing_packages() from error
    file = descriptor_pb2.FileDescriptorProto(name="framehead/example.proto", package=_PACKAGE, syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message_of(name: str) -> Any:
        return file.message_type.add(name=name)

    def field(owner: Any, name: str, number: int, kind: str, *, repeated: bool = False) -> Any:
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        added = owner.field.add(name=name, number=number, label=label)
        if kind.startswith("TYPE_"):
            added.type = getattr(kinds, kind)
        else:
            added.type, added.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
        return added

    def map_of(owner: Any, name: str, kind: str) -> None:
        entry = owner.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        field(entry, "key", 1, "TYPE_STRING")
        field(entry, "value", 2, kind)
        field(owner, name, 1, f"{owner.name}.{entry.name}", repeated=True)

    for name, kind in _VALUES:
        field(message_of(name), "value", 1, kind, repeated=True)
    feature = message_of("Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, _) in enumerate(_VALUES, 1):
        field(feature, f"{name.removesuffix('List').lower()}_list", number, name).oneof_index = 0
    map_of(message_of("Features"), "feature", "Feature")
    field(message_of("FeatureList"), "feature", 1, "Feature", repeated=True)
    map_of(message_of("FeatureLists"), "feature_list", "FeatureList")
    sequence = message_of("SequenceExample")
    field(sequence, "context", 1, "Features")
    field(sequence, "feature_lists", 2, "FeatureLists")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    described = pool.FindMessageTypeByName(f"{_PACKAGE}.SequenceExample")
    return message_factory.GetMessageClass(described), message.DecodeError
