"""Where a group begins when it is set back to a time."""

from __future__ import annotations

from order_operations.consumers.rewind import Rewound, rewound

TOPIC = "reference.contacts"


def test_a_group_is_set_back_and_never_forward() -> None:
    committed = {(TOPIC, 0): 9, (TOPIC, 1): 9, (TOPIC, 2): 3}
    first = {(TOPIC, 0): 4, (TOPIC, 1): 9, (TOPIC, 2): 7}

    assert rewound("enricher", committed, first) == [Rewound("enricher", TOPIC, 0, 9, 4)]


def test_a_partition_without_a_later_record_stays() -> None:
    assert rewound("enricher", {(TOPIC, 0): 9}, {(TOPIC, 0): -1}) == []
