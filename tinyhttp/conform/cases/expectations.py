"""Expect: RFC 9110 section 10.1.1."""

from ..kit import A_TXT
from ..model import AWAIT, SHOULD, Case
from ..writing import case, get, outcome, reads

__all__ = ["CASES"]

FINAL = (*range(200, 300), *range(400, 500), 501)

CASES: tuple[Case, ...] = (
    case(
        "no-body",
        "Expect without body",
        "9110 10.1.1",
        get("/a.txt", "Expect: 100-continue"),
        reads(A_TXT),
        outcome(417),
    ),
    case(
        "body",
        "Expect with a body",
        "9110 10.1.1",
        (
            get("/a.txt", "Expect: 100-continue", "Content-Length: 5", method="POST"),
            AWAIT,
            b"hello",
        ),
        outcome(*FINAL),
        note="100, and then the final status; or the final status at once.",
    ),
    case(
        "answer-at-once",
        "Expect is not left waiting",
        "9110 10.1.1",
        (get("/a.txt", "Expect: 100-continue", "Content-Length: 5"), AWAIT, b"hello"),
        reads(A_TXT),
        outcome(*FINAL),
    ),
    case(
        "capitals",
        "Expect in capitals",
        "9110 10.1.1",
        (get("/a.txt", "Expect: 100-Continue", "Transfer-Encoding: chunked"), AWAIT, b"0\r\n\r\n"),
        reads(A_TXT),
        outcome(417, 400, 411, 413),
        level=SHOULD,
    ),
    case(
        "unknown",
        "another expectation",
        "9110 15.5.18",
        get("/a.txt", "Expect: 200-ok"),
        outcome(417),
        reads(A_TXT),
        note="May be refused with 417.",
    ),
    case(
        "two",
        "two expectations",
        "9110 10.1.1",
        get("/a.txt", "Expect: 100-continue, x"),
        outcome(417),
        reads(A_TXT),
    ),
)
