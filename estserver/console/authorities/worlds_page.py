"""The page with the three worlds of certificates: as a picture, and as tables."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from estserver.console.authorities.worlds import Node, World, read_worlds
from estserver.console.authorities.worlds_picture import draw_world, left_out, state_in_words
from estserver.console.registry import Section, console_page, may
from estserver.console.rendering import render_page
from pki.admin.display import EMPTY, chip, table, utc, visible


@console_page(
    section=Section.CAS,
    title=gettext_noop("Three worlds"),
    name="console_worlds",
    route="cas/worlds/",
    permission="pki.view_certificateauthority",
)
def worlds_page(request: HttpRequest) -> HttpResponseBase:
    """Show who issues which certificates here, and what they are for."""

    def may_open(node: Node) -> bool:
        return may(request, (node.permission,))

    shown: list[dict[str, Any]] = [
        {
            "title": world.title,
            "said": world.said,
            "empty": world.empty,
            "picture": draw_world(world, may_open=may_open) if world.nodes else "",
            "left_out": left_out(world),
            "is_shortened": world.is_shortened,
            "table": _table(request, world),
        }
        for world in read_worlds()
    ]
    context = {"title": gettext("Certificates: three worlds"), "worlds": shown}
    return render_page(request, "admin/console/worlds.html", context)


def _table(request: HttpRequest, world: World) -> SafeString | str:
    if not world.nodes:
        return ""
    now = timezone.now()

    def linked(node: Node) -> str:
        if not node.url or not may(request, (node.permission,)):
            return visible(node.name)
        return format_html('<a href="{}">{}</a>', node.url, visible(node.name))

    def followed(nodes: tuple[Node, ...]) -> str:
        items = (
            (
                node.what,
                linked(node),
                f": {state_in_words(node, now)}" if node.state else "",
                followed(node.leads_to) if node.leads_to else "",
            )
            for node in nodes
        )
        found = format_html_join("", "<li>{} {}{}{}</li>", items)
        return format_html('<ul class="leads-to">{}</ul>', found) if found else EMPTY

    rows = (
        (
            node.what,
            linked(node),
            chip(node.state, node.kind) if node.state else EMPTY,
            utc(node.until, "%Y-%m-%d"),
            followed(node.leads_to),
        )
        for node in world.nodes
    )
    return table(("what", "name", "state", "valid until", "leads to"), rows)
