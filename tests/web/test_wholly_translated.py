"""Every page in Chinese, for everybody and in every state of a study: no English is left on it.

The study's own words (title, instructions, reasons) are Chinese here, so that what is left in Latin
letters is the program's. What may stay is listed below: codes, names, units, files, statisticians.
"""

import io
import re
import zipfile
from collections import deque
from dataclasses import dataclass, field

from starlette.testclient import TestClient

from app.actions.design_study import set_design, unblind_study
from app.db.session import Role
from app.domain.access import AccountRole
from app.domain.study_design import StudyDesign
from tests.access.test_parts import invited
from tests.conftest import Cast, make_account, picture, scored_and_open
from tests.reading.designs import add_training, simulate
from tests.reading.steps import at, close, correct, exclude, finish, lock, rows_of_people
from tests.web.shown import texts_of
from tests.web.site import Site

CHINESE = {"Accept-Language": "zh-CN"}
# Elements and classes whose text is not the page's: code, keys, what programs and logs say.
KEPT = frozenset({"code", "kbd", "pre", "hash", "wordmark", "written"})
KEPT_WORDS = re.compile(
    r"(?<![A-Za-z])("
    r"BCC|SK|SEK|AI|UTC|AUC|ROC|NRI|IDI|SMD|RAIR|RSR|AC1|AC2|BCa|PPV|CSV|ZIP|JSON|SVG|PNG|PDF|API|"
    r"HTML|Markdown|JPEG|QR|SHA-256|PIN|Enter|px|mm|min|Ctrl|"
    r"ISIC|PAD-UFES-20|CLIP|Grad-CAM|OpenAPI|reread|English|"
    r"(?:readings|codebook|cases|training-images)\.csv|analysis\.json|openapi\.json|"
    r"DeLong|Obuchowski|Rockette|McNemar|Tango|Wilson|Fisher|Welch|Student|Mann-Whitney|Levene|"
    r"Shapiro-Wilk|Austin|Newcombe|Brier|Spiegelhalter|Fleiss|Cohen|Gwet|Bland|Altman|Pencina|"
    r"Schemmer|Hilden|Gerds|Pepe|Kerr|[Kk]appa|logistic|Wald|Fitzpatrick|"
    r"Cora|Olga|Rita|Rolf|Ada|Jude|Audrey|[a-z.]+@[a-z]+\.[a-z]+|bcc-sk|[ct]\d+|R\d+|"
    r"Simulated reader \d+ \(seed \d+\)|made up for a test|generated|"
    r"[a-z_]+\.[a-z_]+ \(\d+\)|Chrome|Chromium|Linux|testclient|none|\w+\.(?:jpg|gif|zip|csv)|"
    r"male|female|other|dermoscopic|clinical|yes|no|image|isic_id|img_id|case_id|own|XX|II?|VI|"
    r"maybe|OSError|GIF|Excel|UTF-8|Van Calster|A b|nobody|bcc-2027|http://[0-9.:]+"
    r")(?![A-Za-z])"
)
ENGLISH = re.compile(r"[A-Za-z]{2,}")
NOT_BY_LOCALE = re.compile(r"\d{4}-\d\d-\d\d|\d[ \u00a0]%")  # an ISO date, a per cent sign apart
LINK = re.compile(r'(?:href|src)="(/[^"#]*)"')
NO_PAGE = re.compile(r"^/static|/images/|/export/|\.(jsonl?|csv|zip|pdf|png)$|/samples/")
SAME = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\bR\d\d\b")


@dataclass
class Left:
    """What was found untranslated: each text, and the first page it was on."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    pages: int = 0

    def look(self, name: str, page: str) -> None:
        self.pages += 1
        if 'lang="zh-Hans-CN"' not in page:
            self.texts.setdefault(f"not a Chinese page: {page[:80]}", name)
        for text in texts_of(page, kept=KEPT, but_lang="en"):
            if ENGLISH.search(KEPT_WORDS.sub("", text)) or NOT_BY_LOCALE.search(text):
                self.texts.setdefault(text, name)

    def visit(self, browser: TestClient, who: str, *starts: str) -> None:
        """Follow every link from these pages; of pages of one kind, the first."""
        waiting, kinds = deque(starts or ("/",)), set[str]()
        while waiting:
            path = waiting.popleft().replace("&amp;", "&")
            kind = SAME.sub("*", path.partition("?")[0])
            if kind in kinds or NO_PAGE.search(path):
                continue
            kinds.add(kind)
            answer = browser.get(path)
            if answer.is_redirect:
                waiting.append(answer.headers["location"])
            elif answer.headers["content-type"].startswith("text/html"):
                if "<html" in answer.text:
                    self.look(f"{who}: {kind}", answer.text)
                waiting += LINK.findall(answer.text)


def in_chinese_words(draft: Cast) -> Cast:
    """The draft with words of its own that are Chinese."""
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        set_design(
            connection,
            study=draft.study,
            design=StudyDesign(show_performance=True, repeats=1, cases_per_sitting=3),
            title="两种皮损的鉴别",
            instructions="请看图。",
            by=draft.cora,
        )
    return draft


def opened(draft: Cast) -> Cast:
    add_training(draft, 1)
    return scored_and_open(draft)


def test_no_page_of_anybody_has_english_left_in_any_state_of_a_study(draft: Cast) -> None:
    site, left = Site(in_chinese_words(draft)), Left()
    nobody = site.browser(**CHINESE)
    cora, rita, rolf = (site.browser(p, **CHINESE) for p in (draft.cora, draft.rita, draft.rolf))
    left.visit(nobody, "nobody", "/sign-in", "/lost-password", "/studies/x", "/invitations/x")
    left.visit(cora, "Cora, draft", "/", "/api/docs", "/studies/bcc-sk/addition")
    cast = opened(draft)
    left.visit(rita, "Rita, begin")
    finish(cast, cast.rita)
    lock(cast, cast.rolf)
    left.visit(rita, "Rita, second case")
    left.visit(rolf, "Rolf, locked", "/studies/bcc-sk/read")
    jude, audrey = (
        site.browser(invited(site, part, f"{name}@example.org"), **CHINESE)
        for part, name in (("adjudicator", "jude"), ("auditor", "audrey"))
    )
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    rows_of_people(cast)
    exclude(cast)
    correct(cast)
    simulate(cast, 2)
    left.visit(cora, "Cora, open", "/", "/studies/bcc-sk/unblind")
    for browser, who in ((site.browser(ada, **CHINESE), "Ada"), (jude, "Jude"), (audrey, "Audrey")):
        left.visit(browser, who)
    close(cast)
    left.visit(rita, "Rita, closed", "/", "/studies/bcc-sk/read")
    left.visit(cora, "Cora, closed", "/studies/bcc-sk", "/studies/bcc-sk/letters")
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        unblind_study(connection, study=cast.reload(), reason="已全部完成。", by=cast.cora)
    left.visit(cora, "Cora, unblinded")
    left.visit(audrey, "Audrey, unblinded")
    own = {"Fell ill.", "No lesion.", "Pressed the wrong key.", "A text.", "For a test.", "a token"}
    found = {text: name for text, name in left.texts.items() if not any(o in text for o in own)}
    assert found == {}
    assert left.pages > 100


def refused_acts(site: Site) -> list[tuple[TestClient, str, dict[str, str]]]:
    """Forms that are refused, each with its sentence."""
    cora = site.browser(site.cast.cora, **CHINESE)
    rita = site.browser(site.cast.rita, **CHINESE)
    study, rolf = "/studies/bcc-sk", site.cast.rolf.id
    assignment = at(site.cast, site.cast.rita).assignment.id
    return [
        (site.browser(**CHINESE), "/sign-in", {"email": "x", "password": "y"}),
        (site.browser(**CHINESE), "/language", {"language": "tlh"}),
        (cora, "/studies/new", {"code": "A b", "title": "", "instructions": ""}),
        (cora, "/studies/new", {"code": "bcc-sk", "title": "题目", "instructions": ""}),
        (cora, f"{study}/unblind", {"password": "", "reason": "理由", "meant": "yes"}),
        (cora, f"{study}/score", {"model_version": ""}),
        (cora, f"{study}/design", {"title": "", "design": "sequential"}),
        (cora, f"{study}/invitations", {"email": "nobody"}),
        (cora, f"{study}/letters", {"kind": "message", "subject": "", "text": ""}),
        (cora, f"{study}/letters", {"kind": "reminder"}),
        (cora, f"{study}/readers/{rolf}/messages", {"kind": "reminder"}),
        (cora, f"{study}/readers/{rolf}/washout", {"days": "7", "reason": "理由"}),
        (cora, f"{study}/people/{rolf}/part", {"part": "reader", "active": "yes", "reason": "由"}),
        (cora, f"{study}/consent", {"text": ""}),
        (cora, f"{study}/copy", {"new_code": "x", "new_title": ""}),
        (cora, f"{study}/addition", {"reason": "理由"}),
        (cora, "/tokens", {"name": "", "scopes": "read"}),
        (rita, "/account/password", {"current": "x", "new": "short"}),
        (rita, f"/readings/{assignment}/unaided", {"call": "BCC"}),
        (rita, f"/readings/{assignment}/aided", {"call": "BCC", "confidence": "5"}),
        (rita, f"/readings/{assignment}/reveal", {}),
        (rita, "/studies/bcc-sk/start", {"years_experience": "x"}),
        (rita, "/keys", {"bcc": "7"}),
        (rita, "/studies/new", {}),
    ]


def test_what_is_refused_is_said_in_chinese(draft: Cast) -> None:
    site, left = Site(opened(in_chinese_words(draft))), Left()
    for browser, path, form in refused_acts(site):
        answer = browser.post(path, data=form)
        assert answer.status_code != 303, path
        left.look(f"{path} {form}", answer.text)
    assert left.texts == {}


BAD_TABLE = """case_id,image,diagnosis,age,sex,fitzpatrick,synthetic,mm_per_pixel,c99
c/1,p0.jpg,BCC,500,x,9,maybe,99,1
c2,../p1.jpg,XX,5,m,2,yes,0.1,1
c3,p9.jpg,,5,m,2,yes,0.1,1
c3,p2.jpg,BCC,5,m,2,yes,0.1,1
c3,p3.jpg,SK,6,f,3,no,0.1,1
c4,p3.jpg,SK,6,f,3,yes,0.1,1
c5,a b.jpg,SK,6,f,3,yes,0.1,1,7,8
c7,p7.jpg,BCC,6,f,3,yes,0.1,1
c8,p8.jpg,BCC,6,f,3,yes,0.1,1
c000,p6.jpg,BCC,6,f,3,yes,0.1,1
"""


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


PICTURES = {
    "p2.jpg": picture(52),
    "p3.jpg": picture(53),
    "p6.jpg": picture(52),
    "p7.jpg": b"GIF89a" + b"x" * 99,
    "p8.jpg": picture(53)[:900],
    "a/p9.jpg": picture(59),
    "b/p9.jpg": picture(60),
}
GOOD_TABLE = b"case_id,image,diagnosis,synthetic,c99\nn1,p2.jpg,BCC,yes,1\nn2,p3.jpg,SK,yes,1\n"


FILES = {
    "cells": (BAD_TABLE.encode(), zip_of(PICTURES)),
    "fine": (GOOD_TABLE, zip_of(PICTURES)),
    "workbook": (b"PK\x03\x04", zip_of(PICTURES)),
    "columns": (b"a,b\n1,2\n", zip_of(PICTURES)),
    "undiagnosed": (b"case_id,image\nc1,p2.jpg\n", zip_of(PICTURES)),
    "quote": (b'image,image,diagnosis\n"p2.jpg,BCC\n', zip_of(PICTURES)),
    "bytes": (bytes(range(256)) * 4, zip_of(PICTURES)),
    "text": (GOOD_TABLE, b"no ZIP file"),
    "cut": (GOOD_TABLE, zip_of(PICTURES)[:-5]),
    "names": (GOOD_TABLE, zip_of({"../x.jpg": b"1", "a\\b.jpg": b"2", "x.zip": b"3"})),
    "bomb": (GOOD_TABLE, zip_of({"x.jpg": b"0" * 3_000_000})),
}


def test_what_is_wrong_with_cases_and_images_is_said_in_chinese(draft: Cast) -> None:
    cora, left = Site(in_chinese_words(draft)).browser(draft.cora, **CHINESE), Left()
    for name, (table, images) in FILES.items():
        answer = cora.post(
            "/studies/bcc-sk/import",
            files={"cases": ("cases.csv", table), "images": ("images.zip", images)},
        )
        assert answer.status_code == (200 if name == "fine" else 422), name
        left.look(f"import: {name}", answer.text)
    assert left.texts == {}
    assert left.pages == len(FILES)
