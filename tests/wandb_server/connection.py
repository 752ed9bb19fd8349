"""Lists that are read page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wandb_server.graphql import Node


def connection(
    items: Sequence[Any],
    first: int | None = None,
    after: str | None = None,
    edge: Callable[[Any], Mapping[str, Any]] = lambda _: {},
    **more: Any,
) -> Node:
    """Return a page of `items`; a cursor is the number of items up to and with it.

    Args:
        items: everything.
        first: the most that one page holds.
        after: the cursor of the last item of the page before.
        edge: returns what the edge to an item holds besides it.
        more: what the connection holds besides its items.
    """
    start = int(after or 0)
    end = len(items) if first is None else min(start + first, len(items))
    edges = [
        Node("Edge", node=item, cursor=str(number), **edge(item))
        for number, item in enumerate(items[start:end], start + 1)
    ]
    page = Node("PageInfo", has_next_page=end < len(items), end_cursor=str(end))
    return Node("Connection", "RunConnection", edges=edges, page_info=page, total_count=len(items), **more)
