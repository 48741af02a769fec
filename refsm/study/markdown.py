"""The Markdown that the README and the demos use, as HTML: no more than that."""
from __future__ import annotations

import html
import re

__all__ = ["inline", "markdown"]


def inline(text: str) -> str:
    """Code, bold, emphasis and links in a line.

    >>> inline("**x** is `x`")
    '<strong>x</strong> is <code>x</code>'
    """
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(f"<code>{html.escape(part[1:-1], quote=False)}</code>" if part.startswith("`")
                   else _marked(html.escape(part, quote=False)) for part in parts)


def _marked(text: str) -> str:
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\((https?://[^)]*)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"<em>\1</em>", text)


def markdown(text: str) -> str:
    """Paragraphs, headings, lists, tables and indented code.

    >>> markdown("# Title")
    '<h1>Title</h1>'
    """
    return "\n".join(_block(block) for block in re.split(r"\n\s*\n", text) if block.strip())


def _block(block: str) -> str:
    lines = block.strip("\n").splitlines()
    heading = re.match(r"(#+) (.*)", lines[0])
    if heading:
        level = len(heading[1])
        rest = "\n".join(lines[1:])
        return f"<h{level}>{inline(heading[2])}</h{level}>" + (_block(rest) if rest.strip() else "")
    if all(line.startswith("    ") for line in lines):
        return "<pre>" + html.escape("\n".join(line[4:] for line in lines)) + "</pre>"
    if lines[0].startswith("|"):
        rows = [[inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
                for line in lines if not re.fullmatch(r"[|\s:-]+", line)]
        return '<div class="wide"><table>' + "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows) \
            + "</table></div>"
    if re.match(r"[-*] |\d+\. ", lines[0]):
        items = re.split(r"^(?:[-*]|\d+\.) ", "\n".join(lines), flags=re.M)[1:]
        return "<ul>" + "".join(f"<li>{inline(' '.join(item.split()))}</li>" for item in items) \
            + "</ul>"
    return f"<p>{inline(' '.join(lines))}</p>"
