"""YAML files that people write: a duplicate key is a mistake, where YAML itself would use the last."""

import yaml

from idrstream.base import tables
from idrstream.base.tables import Problems


def read(path):
    """The content of a file. Raises tables.Problems if it is not YAML, or has a duplicate key."""
    try:
        loader = _Loader(tables.read_text(path))
        content = loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as reason:  # a ValueError: 2024-13-45 is no day
        raise Problems.of(path.name, [f"not YAML ({' '.join(str(reason).split())})"]) from reason
    if loader.duplicates:
        raise Problems([tables.problem(path.name, what, line) for line, what in loader.duplicates])
    return content


class _Loader(yaml.SafeLoader):
    """Collects duplicate keys of a mapping: (line, message)."""

    def __init__(self, text):
        super().__init__(text)
        self.duplicates = []

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        first = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            before = first.setdefault((key.tag, key.value), key)
            if before is not key:
                what = f'duplicate key "{key.value}", first in line {before.start_mark.line + 1}'
                self.duplicates.append((key.start_mark.line + 1, what))
        return node
