"""Few of many, evenly. Standard library only."""


def spread(length, count):
    """At most COUNT indices of a list of LENGTH, evenly from the first to the last."""
    if length <= count:
        return list(range(length))
    return [round(i * (length - 1) / (count - 1)) for i in range(count)]
