"""Every error code Wire can report, with its meaning. Codes are API: they are added, never renamed or reused.

The first word is the area; where a component is at fault, the second names it. A test checks that every code used
in the source is listed here and that every code listed is used.
"""

from typing import Final

CODES: Final[dict[str, str]] = {
    # what the user wrote
    "config.broken_component": "a component is installed but its code can't be loaded",
    "config.invalid": "the value is not of the kind this field takes",
    "config.missing": "a required field is absent",
    "config.unknown_key": "the field is not known here",
    "config.syntax": "the file is not well-formed YAML or JSON",
    "config.unreadable": "the file can't be read",
    "config.unknown_component": "no component of that name is installed",
    "config.missing_dependency": "a component's library is not installed",
    "config.reference_unresolved": "an ${env:} or ${file:} reference names something that is not there",
    # expressions: the text, then one record's values
    "expression.cast": "a value can't be converted to the type",
    "expression.domain": "an argument is outside what the function is defined for",
    "expression.duplicate_name": "a select list gives a name twice",
    "expression.no_name": "an item of a select list needs a name",
    "expression.not_allowed": "an expression over one record can't use this",
    "expression.overflow": "a result does not fit its type",
    "expression.syntax": "the text is not an expression",
    "expression.too_complex": "the expression is too long or nests too deeply",
    "expression.type_mismatch": "an operator or function does not take a value of this type",
    "expression.unknown_function": "there is no function of that name",
    "expression.unknown_type": "there is no type of that name",
    "expression.wrong_arguments": "a function does not take these arguments",
    # formats and transforms: one record, or a configuration that fits no record
    "format.unreadable": "the source's format does not give the fields the pipeline needs",
    "format.unwritable": "the sink's format can't hold what the pipeline makes",
    "record.decode": "the record's bytes are not what the source's format says",
    "record.encode": "the record holds a value that the sink's format can't write",
    "record.failed": "the record made a transform fail in a way nobody foresaw",
    "record.not_an_object": "the record is valid JSON, but not an object",
    "record.unknown_column": "the record has a field for which the sink has no column",
    "transform.lookup.invalid": "a lookup file's contents can't be used",
    "transform.lookup.no_match": "a lookup file has no row for the record",
    "transform.lookup.unreadable": "a lookup file can't be read",
    "transform.python.failed": "a Python function raised for the record",
    "transform.python.result": "a Python function did not return one item per record",
    "transform.timestamp.invalid": "the event time of the record can't be told",
    # progress that is kept
    "checkpoint.damaged": "a checkpoint does not match its checksum, or its file is broken",
    "checkpoint.disk_full": "there is no room to store a checkpoint",
    "checkpoint.fenced": "a newer run of the pipeline has taken over",
    "checkpoint.locked": "another run of the pipeline uses the same state folder",
    "checkpoint.source_changed": "the checkpoints belong to another source than the one configured",
    "checkpoint.unavailable": "the state folder can't be used",
    # the engine
    "pipeline.dead_letter_refused": "the dead-letter sink refused a record",
    "pipeline.retries_exhausted": "an operation failed as often as the retry policy allows",
    # the memory connectors of wire.testing
    "memory.fenced": "a writer with a newer epoch has been opened",
    "memory.position_lost": "the position is not in the partition, or no longer",
    "memory.scripted": "the test's script asked for this error",
    # the Kafka source and sink
    "sink.kafka.authentication": "the brokers refused the log-in",
    "sink.kafka.authorization": "the user may not do this on the brokers",
    "sink.kafka.missing_topic": "the topic to write to is not there",
    "sink.kafka.no_partition": "the partition a record asks for is not there",
    "sink.kafka.record_too_large": "the record is larger than the sink or the topic allows",
    "sink.kafka.record_refused": "the topic does not take such a record",
    "sink.kafka.rejected": "the brokers refused a request",
    "sink.kafka.tls": "the encrypted connection can't be made",
    "sink.kafka.unreachable": "no broker answers",
    "source.kafka.authentication": "the brokers refused the log-in",
    "source.kafka.authorization": "the user may not do this on the brokers",
    "source.kafka.corrupt": "what a broker sent can't be decoded",
    "source.kafka.missing_topic": "the topic to read is not there",
    "source.kafka.position_lost": "the records at the position are gone, or belong to another topic",
    "source.kafka.rejected": "the brokers refused a request",
    "source.kafka.tls": "the encrypted connection can't be made",
    "source.kafka.unreachable": "no broker answers",
    # the file source
    "source.file.corrupt": "a compressed file can't be decompressed",
    "source.file.encoding": "the file is in an encoding that is not read",
    "source.file.header_changed": "a CSV file has columns that the pipeline doesn't know",
    "source.file.header_invalid": "the first row of a CSV file can't name its columns",
    "source.file.header_missing": "no CSV file has a first row yet",
    "source.file.not_a_file": "the path names a folder",
    "source.file.not_found": "the file, or one that matches the pattern, is not there",
    "source.file.position_invalid": "the position was not made by the file source",
    "source.file.read_failed": "a file that was opened can't be read",
    "source.file.record_too_large": "a row is longer than `max_record`",
    "source.file.truncated": "a compressed file ends before its end",
    "source.file.unreadable": "the file can't be opened for reading",
}
