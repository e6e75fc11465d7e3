"""What the tests of a store put into it, and how they answer a study."""

from pathlib import Path

from fetometry.serve.node.store import Accepted, Job, Received, Result, Store


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def received(number: int = 1, study: str = "1.7", patient: str = "ID\0X", **more: str) -> Received:
    given = {"digest": f"digest {number}"} | more
    return Received("1.2.3", f"{study}.{number}", study, patient, "PACS", size=9, **given)


def put(store: Store, one: Received, content: bytes | None = None) -> Accepted:
    file = store.incoming()
    file.write_bytes(b"content " + one.digest.encode() if content is None else content)
    return store.accept(one, file)


def answer(store: Store, job: Job, *uids: str, content: bytes = b"{}") -> list[Result]:
    folder = store.results_folder(job)
    folder.mkdir()
    results = []
    for uid in uids:
        (folder / f"{uid}.sr.dcm").write_bytes(b"report " + uid.encode())
        path = (folder / f"{uid}.sr.dcm").relative_to(store.folder)
        results.append(Result(uid, "1.8", path, f"digest {uid}", "sr"))
    (folder / "exam.json").write_bytes(content)
    store.finish(job, results, "measured")
    return results


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".keep"
    )
