"""Heads of the log are signed, and whoever has the public key checks them offline (L4)."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.actions.export_pack import export_pack
from app.commands import proofs
from app.db.session import Role
from app.domain.anchor_file import anchor_line, moment
from app.domain.audit_chain import Anchor
from app.domain.errors import Conflict, InvalidInput
from app.settings import BadSettingError, Settings
from app.signing import HeadSigner, is_signed, make_key
from tests.conftest import Cast

HEAD = Anchor(12, "ab" * 32)
AT = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def signer(tmp_path: Path) -> HeadSigner:
    return make_key(tmp_path / "signing.pem")


@pytest.fixture(scope="module")
def signed(finished: Cast, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HeadSigner]:
    """A signed pack as a folder, and what signed it."""
    place = tmp_path_factory.mktemp("signed")
    signer = make_key(place / "signing.pem")
    with finished.begin(Role.ANALYST, finished.cora) as connection:
        export_pack(
            connection,
            study=finished.reload(),
            storage=finished.storage,
            path=place / "pack",
            signer=signer,
            by=finished.cora,
        )
    return place / "pack", signer


def verify(path: Path, public_key: str | None, anchors: Path | None = None) -> int:
    asked = {"anchor": [], "anchors": str(anchors) if anchors else None, "files": False}
    arguments = argparse.Namespace(target=str(path), public_key=public_key, **asked)
    return proofs.verify(arguments, Settings.from_environment({}))


def test_l4_a_key_is_its_accounts_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="there already"):
        make_key(path)
    assert HeadSigner(path).public_key == made.public_key


def test_l4_the_command_makes_a_key_and_prints_its_public_half_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "signing.pem"
    assert (
        proofs.signing_key(argparse.Namespace(file=str(path)), Settings.from_environment({})) == 0
    )
    said = capsys.readouterr().out
    assert HeadSigner(path).public_key in said
    assert path.read_text().splitlines()[1] not in said
    assert Settings.from_environment({"REREAD_SIGNING_KEY": str(path)}).signing_key == path
    with pytest.raises(BadSettingError, match="no file"):
        Settings.from_environment({"REREAD_SIGNING_KEY": str(path / "x")})


NOON = moment(AT)


@pytest.mark.parametrize(
    ("study", "head", "at"),
    [
        ("another", HEAD, NOON),
        ("bcc-sk", Anchor(13, HEAD.hash), NOON),
        ("bcc-sk", Anchor(HEAD.seq, "cd" * 32), NOON),
        ("bcc-sk", HEAD, "2020-01-01T00:00:00+00:00"),
    ],
)
def test_l4_a_signature_holds_for_its_study_head_and_time_alone(
    signer: HeadSigner, study: str, head: Anchor, at: str
) -> None:
    signature = signer.sign("bcc-sk", HEAD, at=NOON)
    assert is_signed(signer.public_key, "bcc-sk", HEAD, signature, at=NOON)
    assert not is_signed(signer.public_key, study, head, signature, at=at)


@pytest.mark.parametrize("signature", ["", "x", "A" * 86, "é", "=" * 10])
def test_l4_what_is_no_signature_is_not_one(signer: HeadSigner, signature: str) -> None:
    assert not is_signed(signer.public_key, "bcc-sk", HEAD, signature)


@pytest.mark.parametrize("key", ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", "ed25519:" + "é" * 43])
def test_l4_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="is no public key"):
        is_signed(key, "bcc-sk", HEAD, "AAAA")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_l4_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read as a signing key"):
        HeadSigner(path)


def test_l4_a_signed_pack_holds_against_its_key_and_no_other(
    signed: tuple[Path, HeadSigner], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, signer = signed
    assert verify(pack, signer.public_key) == 0
    assert "signed by the key that was given" in capsys.readouterr().out
    assert verify(pack, None) == 0
    assert f"signed by {signer.public_key}; compare it" in capsys.readouterr().out
    assert verify(pack, make_key(tmp_path / "other.pem").public_key) == 1
    assert "its head is not signed by ed25519:" in capsys.readouterr().out


@pytest.mark.parametrize("entry", ["head", "signature", "study"])
def test_l4_a_signed_pack_that_was_altered_is_found(
    signed: tuple[Path, HeadSigner], entry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, signer = signed
    whole = (pack / "manifest.json").read_text()
    changed = {"head": HEAD, "signature": "A" * 86, "study": "another"}[entry]
    value = f"{HEAD.seq}:{HEAD.hash}" if entry == "head" else changed
    try:
        (pack / "manifest.json").write_text(json.dumps({**json.loads(whole), entry: value}))
        assert verify(pack, signer.public_key) == 1
    finally:
        (pack / "manifest.json").write_text(whole)
    assert "its head is not signed" in capsys.readouterr().out


def test_l4_where_a_key_is_given_an_unsigned_pack_is_a_problem(
    folder: Path, signer: HeadSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(folder, signer.public_key) == 1
    assert "its head is not signed" in capsys.readouterr().out


def test_l4_an_anchor_that_the_key_did_not_sign_is_refused(
    signed: tuple[Path, HeadSigner], tmp_path: Path
) -> None:
    pack, signer = signed
    seq, digest = json.loads((pack / "manifest.json").read_text())["head"].split(":")
    head = Anchor(int(seq), digest)
    file = tmp_path / "anchors.txt"
    signature = signer.sign("bcc-sk", head, at=moment(AT))
    file.write_text(anchor_line("bcc-sk", head, at=AT, signature=signature))
    assert verify(pack, signer.public_key, file) == 0
    file.write_text(file.read_text() + anchor_line("bcc-sk", head, at=AT))
    with pytest.raises(InvalidInput, match="is not signed by"):
        verify(pack, signer.public_key, file)
