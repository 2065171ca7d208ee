"""The smallest Excel file that spreadsheets open, written by hand: a sheet of strings and numbers."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape


_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
{sheets}</Types>"""
_SHEET_TYPE = """<Override PartName="/xl/worksheets/sheet{number}.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>"""
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def write_excel(path: Path, sheets: dict[str, Sequence[Sequence[str | float | None]]]) -> Path:
    """Write sheets of rows; a number is a number, a string an inline string, None an empty cell."""
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as held:
        types = "".join(_SHEET_TYPE.format(number=i + 1) for i in range(len(names)))
        held.writestr("[Content_Types].xml", _TYPES.format(sheets=types))
        book = f'<Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        held.writestr("_rels/.rels", _RELATIONS + book)
        listed = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
        workbook = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
        held.writestr("xl/workbook.xml", workbook)
        relations = "".join(
            f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        held.writestr("xl/_rels/workbook.xml.rels", f"{_RELATIONS}{relations}</Relationships>")
        for i, rows in enumerate(sheets.values(), 1):
            lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'
            held.writestr(f"xl/worksheets/sheet{i}.xml", sheet)
    return path


def _cell(value: str | float | None) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
