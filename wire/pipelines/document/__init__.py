"""A pipeline's text as plain data that remembers where everything stood.

`read(path)` and `parse(text)` take YAML or JSON and give a `Document`: its `tree` is made of dicts with text keys,
lists, text, numbers, booleans and None; its marks map JSON paths to lines and columns, into an expression's text too.

What differs from PyYAML's own loader: scalars follow YAML 1.2 (`yes`, `no`, `on` and `off` are text, as are dates), a
key given twice is a mistake, tags are refused (I10), and what anchors may expand to is bounded (I8).
"""

from wire.pipelines.document.document import Document, parse, read

__all__ = ["Document", "parse", "read"]
