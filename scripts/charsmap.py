"""Maps of characters as SentencePiece writes them (precompiled_charsmap), small: for tests.

A double array (Darts) over the bytes of the keys, then the texts that they become, each with a 0 behind it. A unit has its
label in the lowest byte, bit 8 where a key ends, and how far its children are from bit 10 on.
"""
import struct


def build(replacements):
    """Bytes of the map that makes of each key (a string or bytes) its text."""
    texts, places = b"", {}
    for text in replacements.values():
        if text not in places:
            places[text] = len(texts)
            texts += text.encode() + b"\0"
    root = {}
    for key, text in replacements.items():
        node = root
        for byte in key if isinstance(key, bytes) else key.encode():
            assert byte > 0
            node = node.setdefault(byte, {})
        node[0] = places[text]
    units, taken = {}, set()
    root_base = place(root, units, taken)
    units[0] = root_base << 10
    size = (max(units) // 256 + 1) * 256
    return struct.pack(f"<I{size}I", 4 * size, *(units.get(i, 0) for i in range(size))) + texts


def place(node, units, taken):
    """Give a node a base, at which its children stand by base ^ byte, and its value at the base itself."""
    base = 1
    while base in taken or any((base ^ byte) in units or (base ^ byte) == 0 for byte in node):
        base += 1
    taken.add(base)
    for byte in node:
        units[base ^ byte] = 0
    for byte, child in node.items():
        if byte == 0:
            units[base] = 1 << 31 | child
            continue
        at = base ^ byte
        offset = at ^ place(child, units, taken)
        assert offset < 1 << 21
        units[at] = offset << 10 | (0 in child) << 8 | byte
    return base
