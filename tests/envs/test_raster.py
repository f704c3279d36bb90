import numpy as np

from envs.meshes import box
from envs.raster import Camera, Instance, Rasteriser


def test_a_box_ahead_is_seen_at_its_front_face() -> None:
    camera = Camera.look_at(
        (0, 0, 3), (0, 0, 0), (0, 1, 0), fov=45, near=0.1, far=9, width=21, height=21
    )
    picture = Rasteriser([Instance(box((1, 1, 1)), (1, 0, 0), id=7)]).draw(camera, np.eye(4)[None])
    assert picture.segmentation[10, 10] == 7
    assert picture.depth[10, 10] == np.float32(2.5)
    assert picture.segmentation[0, 0] == -1
