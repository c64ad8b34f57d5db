"""Puts figures on the page of performance: tables into docs/performance.md, charts beside it."""
import pathlib

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
COLOURS = {"turnus": "#0a7d4f", "turnus, built in": "#0a7d4f", "turnus, OpenSSH": "#57b894"}


def put(name, text):
    """Replaces what stands between `<!-- name -->` and the next `<!-- end -->`."""
    page = DOCS / "performance.md"
    before, rest = page.read_text().split(f"<!-- {name} -->\n", 1)
    after = rest.split("<!-- end -->", 1)[1]
    page.write_text(f"{before}<!-- {name} -->\n{text}\n<!-- end -->{after}")


def draw(file, title, groups):
    """Bars, each group on a scale of its own. A group is a title and rows of a label, a value and its text."""
    width, row, left = 760, 26, 150
    parts = [f'<text x="10" y="20" font-weight="bold">{title}</text>']
    y = 44
    for heading, rows in groups:
        most = max(value for _, value, _ in rows)
        parts.append(f'<text x="10" y="{y}" fill="#555">{heading}</text>')
        y += 10
        for label, value, shown in rows:
            length = max(1, (width - left - 80) * value / most)
            parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{label}</text>'
                         f'<rect x="{left}" y="{y + 2}" width="{length:.0f}" height="18" fill="{COLOURS.get(label, "#9aa5b1")}"/>'
                         f'<text x="{left + length + 6:.0f}" y="{y + 15}">{shown}</text>')
            y += row
        y += 24
    (DOCS / file).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
        f'font-family="sans-serif" font-size="13">\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")
