"""Between a host and its nodes, and between nodes: the words of service 6."""

from ei.attachment.messages import (
    ATTACHMENT,
    AttachmentMessage,
    Draining,
    Explain,
    Explained,
    Guard,
    Moved,
    decode,
    encode,
)

__all__ = [
    "ATTACHMENT",
    "AttachmentMessage",
    "Draining",
    "Explain",
    "Explained",
    "Guard",
    "Moved",
    "decode",
    "encode",
]
