"""YAML files that people write, in which a key that stands twice is a mistake, not the last of the two."""

import yaml

from idrstream.tables import CONTROL, Problems


def read(path):
    """The content of a file. Raises tables.Problems where it is not YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as reason:
        raise Problems([CONTROL.sub(" ", f"{path.name}: not YAML ({reason})")]) from reason


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f'"{key}" stands there twice, below line {node.start_mark.line + 1}')
        return super().construct_mapping(node, deep)
