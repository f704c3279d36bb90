"""CPU milliseconds a picture: our rasteriser against PyBullet's, same scene, same run.

    python -m firsthand.benchmarks.render

The scene is a play table in outline: a plane, a table, three blocks, four balls and the Panda of
pybullet_data wearing its collision meshes. The robot moves between pictures, as it does in use, so
that every picture of ours pays for a new shadow map. The two renderers take turns. Both run on one
core, and its time is what is measured: the same as wall-clock time where nothing else runs.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firsthand.rendering import textures
from firsthand.rendering.pybullet_renderer import RasterRenderer, Renderer, TinyRenderer
from firsthand.rendering.rasterizer import Camera

JOINTS = (-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866)


@dataclass(frozen=True)
class RenderTime:
    """One camera at one size with one renderer."""

    camera: str
    size: int
    renderer: str
    median_ms: float
    p95_ms: float
    agreement: float  # share of pixels where both renderers see the same body


def cameras(size: int) -> dict[str, Camera]:
    """The static view of CALVIN, and a close wide view as from a wrist."""
    return {
        "static": Camera.look_at(
            (2.871459, -2.166602, 2.555160),
            (-0.026242, -0.030233, 0.392),
            (0.404140, 0.226298, 0.886262),
            fov=10,
            near=0.01,
            far=10,
            width=size,
            height=size,
        ),
        "close": Camera.look_at(
            (0.1, -0.4, 0.85),
            (0.1, -0.1, 0.44),
            (0, 1, 0),
            fov=75,
            near=0.01,
            far=2,
            width=size,
            height=size,
        ),
    }


def build_scene(folder: Path) -> tuple[int, int]:
    """A PyBullet client with the scene, and the robot's body id."""
    import pybullet_data

    from firsthand.rendering.bullet import pybullet

    client, data = pybullet.connect(pybullet.DIRECT), pybullet_data.getDataPath()
    pybullet.loadURDF(f"{data}/plane.urdf", physicsClientId=client)
    panda = Path(f"{data}/franka_panda/panda.urdf").read_text()
    panda = panda.replace("meshes/visual/", "meshes/collision/")
    file = folder / "panda.urdf"
    file.write_text(panda.replace("package://meshes", f"{data}/franka_panda/meshes"))
    robot = pybullet.loadURDF(
        str(file), (-0.34, -0.46, 0.24), useFixedBase=True, physicsClientId=client
    )

    def add(shape: int, position: Sequence[float], turn: float = 0.0) -> None:
        quaternion = pybullet.getQuaternionFromEuler((0, 0, turn))
        pybullet.createMultiBody(1, -1, shape, position, quaternion, physicsClientId=client)

    def box(sides: Sequence[float], color: Sequence[float]) -> int:
        half = [side / 2 for side in sides]
        return pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=half, rgbaColor=color, physicsClientId=client
        )

    add(box((0.88, 0.36, 0.04), (0.85, 0.75, 0.6, 1)), (0, 0, 0.42))
    for x in (-0.4, 0.4):
        for y in (-0.15, 0.15):
            add(box((0.06, 0.06, 0.4), (0.5, 0.4, 0.3, 1)), (x, y, 0.2))
    add(box((0.88, 0.02, 0.2), (0.8, 0.6, 0.4, 1)), (0, 0.17, 0.54))
    add(box((0.056, 0.04, 0.04), (1, 0, 0, 1)), (0.1, -0.1, 0.46), 0.3)
    add(box((0.04, 0.04, 0.04), (1, 0, 1, 1)), (0.2, -0.05, 0.46))
    add(box((0.08, 0.04, 0.04), (0, 0, 1, 1)), (0.0, -0.1, 0.46), 1.0)
    for i in range(4):
        ball = pybullet.createVisualShape(
            pybullet.GEOM_SPHERE, radius=0.03, rgbaColor=(1, 1, 0, 1), physicsClientId=client
        )
        add(ball, (-0.3 + 0.1 * i, 0.1, 0.47))
    return client, robot


def measure(sizes: Sequence[int] = (200, 96), repeats: int = 40) -> list[RenderTime]:
    """Median and 95th percentile of CPU milliseconds for every camera, size and renderer."""
    from firsthand.rendering.bullet import pybullet

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        client, robot = build_scene(Path(folder))
        skins = {(0, -1): textures.tiles(0), (2, -1): textures.wood(0)}
        renderers: list[Renderer] = [RasterRenderer(client, skins), TinyRenderer(client)]
        for size in sizes:
            for name, camera in cameras(size).items():
                times: dict[str, list[float]] = {renderer.name: [] for renderer in renderers}
                agreements = []
                for repeat in range(repeats + 2):
                    for joint, angle in enumerate(JOINTS):
                        pybullet.resetJointState(
                            robot, joint, angle + 0.002 * repeat, physicsClientId=client
                        )
                    seen = []
                    for renderer in renderers:
                        start = time.process_time()
                        picture = renderer.render(camera)
                        times[renderer.name].append((time.process_time() - start) * 1e3)
                        seen.append(picture.segmentation)
                    agreements.append(float((seen[0] == seen[1]).mean()))
                for renderer in renderers:
                    kept = times[renderer.name][2:]  # the first two warm the caches
                    middle, high = np.percentile(kept, [50, 95])
                    share = float(np.mean(agreements))
                    rows.append(
                        RenderTime(name, size, renderer.name, float(middle), float(high), share)
                    )
        pybullet.disconnect(client)
    return rows


def main() -> None:
    """Print the table."""
    print("camera  size  renderer  median ms  p95 ms  same body")
    for row in measure():
        print(
            f"{row.camera:6}  {row.size:4}  {row.renderer:8}  {row.median_ms:9.2f}"
            f"  {row.p95_ms:6.2f}  {row.agreement:9.4f}"
        )


if __name__ == "__main__":
    main()
