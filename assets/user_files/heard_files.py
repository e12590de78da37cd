"""Which files are heard, by whom, and what was heard of files that are gone.

A film with words of its own, beside it or inside of it, is read as if nobody could hear: with another model it stays as it is.
Where no model is named, what was heard before stays.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from assets.user_files import parsed_files
from assets.user_files.file_kinds import FileKind
from assets.user_files.ledger import FileLedger
from assets.user_files.media import heard_pieces
from assets.user_files.media.films import has_words_inside
from assets.user_files.media.heard_pieces import HeardPieces
from assets.user_files.media.hearing import Hearing, Speech
from assets.user_files.reading import IngestSettings, SourceFile
from infra.progress import ProgressListener
from infra.storage import manifest
from infra.storage.root import Storage

HEARD = "heard"  # parameter of what is kept of a file: its hash, if it was listened to


def settings_for(
    storage: Storage, source: SourceFile, content: Mapping[str, str], settings: IngestSettings
) -> IngestSettings:
    """``settings`` as they matter to one file: without speech where nothing is to be heard. Raises ``MediaError``."""
    deaf = replace(settings, speech=None)
    if source.kind is not FileKind.VIDEO or source.transcripts:
        return deaf
    if settings.speech is None:
        before = heard_pieces.heard_before(storage, content["file"])
        return replace(settings, speech=Speech(heard_by=before)) if before else deaf
    name = parsed_files.name_of(content, source, settings)
    is_known = parsed_files.about(storage, name) is not None
    return settings if is_known or not has_words_inside(source.path) else deaf


def hearing_of(
    storage: Storage, content: Mapping[str, str], speech: Speech | None, progress: ProgressListener
) -> Hearing | None:
    """What hears one file; None where nothing is to be heard."""
    if speech is None:
        return None
    pieces = HeardPieces(storage=storage, file=content["file"], heard_by=speech.heard_by)
    return Hearing(speech=speech, pieces=pieces, progress=progress)


def sweep(storage: Storage, files: FileLedger, listened: Collection[str]) -> None:
    """Remove what was heard of files that ``documents`` no longer has; of those ``listened`` to just now it stays."""
    if not heard_pieces.known_files(storage):
        return
    try:
        kept = [manifest.read(storage, parsed_files.directory(file.kept)) for file in files.values()]
    except ValueError:
        return  # of a damaged copy nobody knows what it was heard from; the file is read again, and then it is known
    heard_pieces.sweep(storage, {*(str(each.params.get(HEARD)) for each in kept), *listened})
