"""How the bytes of a record become fields and fields become bytes, one module per format.

A codec does not convert records: it writes the Python source that does, for the function a pipeline is compiled into
(`wire.pipelines.plan`), so that only what a pipeline needs is decoded. `Decoder` and `Encoder` say what it must answer.
What is not decoded is not checked either: a pipeline that needs no field passes the bytes on as they are.
"""

from wire.pipelines.codecs.ports import Decoded, Decoder, Encoder, Names, dict_source
from wire.pipelines.codecs.registry import decoder, encoder, passes_through

__all__ = ["Decoded", "Decoder", "Encoder", "Names", "decoder", "dict_source", "encoder", "passes_through"]
