"""
Where one target is fetched and built: its mirrors, its build trees, its recipe.

    <data>/mirrors/<target>/<n>     bare, one per repository
    <data>/trees/<target>/<n>-<name>    the commit's files, brought up to date in place
    <data>/rooms/<target>/          HOME, TMPDIR and output of its builds
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from cd4sources.building import MARKS, BuildFailed, Recipe, Workspace, choose
from cd4sources.building.caches import Caches
from cd4sources.building.in_place import put_back
from cd4sources.building.lanes import Lanes
from cd4sources.keeping.versions import Built, LockedRepository, version_id
from cd4sources.running.confinement import Confinement
from cd4sources.running.nursing import Nanny
from cd4sources.settings import ServerSettings
from cd4sources.sources.announced import Announced
from cd4sources.sources.git import Git
from cd4sources.sources.repository import Mirror
from cd4sources.sources.tips import Tips
from cd4sources.targets import Repository, Target, variables_of
from cd4sources.undisturbed import in_thread


@dataclass(frozen=True)
class Plan:
    """What a lockset would give: the version's id, and how and with which tools it is built."""

    version: str
    lockset: tuple[str, ...]
    recipe: Recipe
    stamp: str


class Workshop:
    """Fetches and builds one target; one pass at a time."""

    def __init__(
        self,
        target: Target,
        settings: ServerSettings,
        lanes: Lanes,
        caches: Caches,
        tips: Tips | None = None,
    ) -> None:
        """
        Open the target's mirrors; nobody else works there.

        Args:
            target: What is fetched and built.
            settings: The data directory, time-outs, and how builds are confined.
            lanes: Turns at fetching and building.
            caches: What may be removed but while it is used here.
            tips: How a remote is asked whether there is anything new. Default: by fetching.
        """
        self._target = target
        self._data = data = settings.data
        self._lanes = lanes
        self._caches = caches
        self._timeout_seconds = settings.build_timeout_seconds
        self._confinement = Confinement.from_settings(settings)
        git = Git(data, settings.build_timeout_seconds)
        mirrors = data / "mirrors" / target.name
        self._mirrors = [
            Mirror(mirrors / str(number), repository, git, tips)
            for number, repository in enumerate(target.repositories)
        ]
        self._plan: Plan | None = None
        self._toolchain = ("", "")  # its stamp, and what it has said of itself
        self._nanny = Nanny(data)
        put_back(self._tree(0))

    async def fetch(self, announced: Announced | None = None) -> tuple[str, ...]:
        """
        The lockset: the commit that each repository's ref names now. Raises RepositoryError.

        Args:
            announced: What is known to be new is fetched without asking first.
        """
        new = announced.number if announced and not announced.looks else -1
        return tuple(
            [
                await self._fetched(number, ask_first=number != new)
                for number in range(len(self._mirrors))
            ]
        )

    async def _fetched(self, number: int, *, ask_first: bool) -> str:
        host = _identity(self._target.repositories[number]).partition("/")[0]
        async with self._lanes.fetching(host):
            if not ask_first:  # a build will follow: its nanny starts while git works
                await self._nanny.start()
            return await self._mirrors[number].fetch(ask_first=ask_first)

    async def shows(self, announced: Announced) -> bool:
        """Tell whether the remote has shown an announced commit."""
        return await self._mirrors[announced.number].holds(announced.commit)

    async def pack(self) -> None:
        """Pack the mirrors where that is due; may be cancelled at any time."""
        for mirror in self._mirrors:
            await mirror.pack()

    def plan_anew(self) -> None:
        """Ask for the toolchain again, also when no commit has changed."""
        self._plan = None
        self._toolchain = ("", "")

    async def plan(self, lockset: tuple[str, ...]) -> Plan:
        """
        What these commits would give with the tools that there are now.

        Raises:
            RepositoryError: The commits cannot be read.
            BuildFailed: They do not say how they are built, or there are no tools.
        """
        old, self._plan = self._plan, None
        if old is None or old.lockset != lockset or old.recipe.stamp() != old.stamp:
            old = await self._planned(lockset)
        self._plan = old
        return old

    async def rest(self) -> None:
        """Let go of what is at hand for builds."""
        self._caches.give_back(self._target.name)
        await self._nanny.end()

    async def _planned(self, lockset: tuple[str, ...]) -> Plan:
        present = await self._mirrors[0].has(lockset[0], MARKS)
        recipe = choose(self._target, present)
        pairs = zip(self._target.repositories, lockset, strict=True)
        locked = [(_identity(one), one.ref, commit, one.replaces) for one, commit in pairs]
        stamp = recipe.stamp()  # read first: what comes in between is noticed by the next look
        if not stamp or stamp != self._toolchain[0]:
            self._toolchain = (stamp, await recipe.toolchain(self._data))
        version = version_id(locked, recipe.fingerprint, self._toolchain[1])
        return Plan(version, lockset, recipe, stamp)

    async def build(self, plan: Plan, log: Path, traceparent: str | None) -> Built:
        """
        Check the commits out and build them; the artifact is there until `rest`.

        Raises:
            RepositoryError: The commits cannot be checked out.
            BuildFailed: They cannot be built, or other tools came meanwhile than the version names.
        """
        await self._caches.take(self._target.name)
        workspace = self._workspace(plan, log)
        async with self._nanny:
            await in_thread(put_back, workspace.tree)
            pairs = zip(self._mirrors, plan.lockset, strict=True)
            for number, (mirror, commit) in enumerate(pairs):
                await mirror.checkout(commit, self._tree(number))
            await in_thread(workspace.prepare)
            path = await plan.recipe.build(workspace)
        if plan.recipe.stamp() != plan.stamp:
            raise BuildFailed("the tools were exchanged meanwhile; the next look builds anew")
        return Built(
            version=plan.version,
            target=self._target.name,
            repositories=self.locked(plan),
            name=self._target.output or self._target.name,
            path=path,
            url=self._url(plan.version),
            log=workspace.log,
            traceparent=traceparent,
        )

    def _workspace(self, plan: Plan, log: Path) -> Workspace:
        first, *others = self._target.repositories
        siblings = {one.url: self._tree(number) for number, one in enumerate(others, start=1)}
        return Workspace(
            tree=self._tree(0),
            room=self._room,
            data=self._data,
            log=log,
            nanny=self._nanny,
            timeout_seconds=self._timeout_seconds,
            siblings=siblings,
            confinement=self._confinement,
            environment={
                "DIRECTCD_COMMIT": plan.lockset[0],
                "DIRECTCD_REF": _named_ref(first),
                "DIRECTCD_VERSION": plan.version,
                **{name: str(siblings[one.url]) for name, one in variables_of(others).items()},
            },
        )

    @property
    def own(self) -> tuple[Path, ...]:
        """What builds leave for the next one, which can be made again without it."""
        return (self._data / "trees" / self._target.name, self._room)

    @property
    def _room(self) -> Path:
        return self._data / "rooms" / self._target.name

    def _tree(self, number: int) -> Path:
        name = self._target.repositories[number].name
        return self._data / "trees" / self._target.name / f"{number}-{name}"

    def locked(self, plan: Plan) -> tuple[LockedRepository, ...]:
        """The commits, each with its repository and ref."""
        pairs = zip(self._target.repositories, plan.lockset, strict=True)
        return tuple(
            LockedRepository(url=one.url, ref=_named_ref(one), commit=commit)
            for one, commit in pairs
        )

    def _url(self, version: str) -> str:
        """Where the artifact is, relative to the server's own address."""
        query = [("repo", one.url) for one in self._target.repositories]
        if ref := self._target.repositories[0].ref:
            query.append(("ref", ref))
        return "/download?" + urlencode([*query, ("version", version)])


def _identity(repository: Repository) -> str:
    """One spelling for all servers, whichever way they reach the repository."""
    return min(repository.keys, default=repository.url)


def _named_ref(repository: Repository) -> str:
    return repository.ref or "HEAD"
