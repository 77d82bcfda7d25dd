"""The tests of vista and its apps; the tree mirrors theirs."""
