"""Compiled loops of the rasteriser: where things are, and which triangle covers a pixel.

Triangles are drawn in homogeneous coordinates (Olano & Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997): with corners P = (x w, y w, w), pixel coordinates x, y and depth w,
the cross products of two corners are edge functions that hold on both sides of the camera. So no
triangle is ever clipped: one that passes behind the camera is tested pixel by pixel like any other,
and the same three numbers are its perspective-correct barycentric coordinates times 1/depth.

Two triangles that share an edge compute exactly opposite edge functions there, so there are no
cracks. Of two faces at one depth the first in the list is seen, whichever was drawn first.
Everything is evaluated without fast-math: equal input, equal bits.
"""

from typing import no_type_check

import numpy as np

from firsthand.common.njit import njit


@njit("i8(f8[:,::1], i4[:,::1], f8, f8, i8, i8, i4[::1])", error_model="numpy")
@no_type_check
def find_candidates(
    points,  # as in cover
    faces,  # (f, 3) of one instance
    sign,  # of the volume a corner's (x w, y w, w) span, for faces to draw
    near,
    width,
    height,
    candidates,  # out: the faces that are turned the right way and may cover a pixel's centre
):
    """How many candidates there are. No branches: a processor could not foretell them."""
    count = 0
    for f in range(len(faces)):
        p, q, r = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
        px, py, pw = points[p, 0], points[p, 1], points[p, 2]
        qx, qy, qw = points[q, 0], points[q, 1], points[q, 2]
        rx, ry, rw = points[r, 0], points[r, 1], points[r, 2]
        a0, b0, c0 = qy * rw - qw * ry, qw * rx - qx * rw, qx * ry - qy * rx
        volume = sign * (px * a0 + py * b0 + pw * c0)
        left = min(min(points[p, 3], points[q, 3]), points[r, 3])
        right = max(max(points[p, 3], points[q, 3]), points[r, 3])
        top = min(min(points[p, 4], points[q, 4]), points[r, 4])
        bottom = max(max(points[p, 4], points[q, 4]), points[r, 4])
        behind = (pw < near) | (qw < near) | (rw < near)
        across = min(np.floor(right + 2e-6), width - 1.0) >= max(left - 2e-6, 0.0)
        down = min(np.floor(bottom + 2e-6), height - 1.0) >= max(top - 2e-6, 0.0)
        candidates[count] = f
        count += (volume > 0.0) & (behind | (across & down))
    return count


@njit(
    "void(f4[:,::1], i4[:,::1], i8[::1], i8[::1], f8[:,::1], f8[:,:,::1], b1[::1], f8[:,::1], f8,"
    " f8, f8[:,::1], f8[:,::1], f4[:,::1], i4[:,::1])",
    error_model="numpy",
)
@no_type_check
def rasterize(
    vertices,  # (v, 3) of all meshes, each in its own frame
    faces,  # (f, 3) of all meshes, each face's vertices counted from its mesh's first
    vertex_start,  # (n + 1,) instance i has vertices [vertex_start[i], vertex_start[i + 1])
    face_start,  # (n + 1,)
    spheres,  # (n, 4) centre and radius of a sphere around each mesh, in its frame
    poses,  # (n, 4, 4) mesh frame -> world
    visible,  # (n,)
    camera,  # (3, 4) world -> (x w, y w, w), with pixel centres at whole x and y
    facing,  # 1 draws the faces that look at the camera, -1 those that look away
    near,  # metres
    points,  # scratch for the largest mesh: x w, y w, w, x, y of every vertex
    edges,  # (f, 9) out: a x + b y + c, a corner's barycentric weight / depth, for three
    inverse_depth,  # (h, w) in and out: 1 / depth
    owner,  # (h, w) in and out: the face seen, -1 for none; (0, 0) to leave out owner and edges
):
    height, width = inverse_depth.shape
    marking = owner.shape[0] > 0
    largest = np.float32(1.0 / near)
    sign = -facing
    sides = np.empty((5, 4))  # what is in view lies above these planes, with unit normals
    for k in range(4):
        sides[0, k] = camera[0, k] + 0.5 * camera[2, k]
        sides[1, k] = (width - 0.5) * camera[2, k] - camera[0, k]
        sides[2, k] = camera[1, k] + 0.5 * camera[2, k]
        sides[3, k] = (height - 0.5) * camera[2, k] - camera[1, k]
        sides[4, k] = camera[2, k]
    sides[4, 3] -= near
    for i in range(5):
        side = sides[i]
        side /= np.sqrt(side[0] ** 2 + side[1] ** 2 + side[2] ** 2)
    m = np.empty((3, 4))  # mesh frame -> pixels
    candidates = np.empty(len(edges), np.int32)
    for instance in range(len(visible)):
        if not visible[instance]:
            continue
        pose, sphere = poses[instance], spheres[instance]
        x = pose[0, 0] * sphere[0] + pose[0, 1] * sphere[1] + pose[0, 2] * sphere[2] + pose[0, 3]
        y = pose[1, 0] * sphere[0] + pose[1, 1] * sphere[1] + pose[1, 2] * sphere[2] + pose[1, 3]
        z = pose[2, 0] * sphere[0] + pose[2, 1] * sphere[1] + pose[2, 2] * sphere[2] + pose[2, 3]
        inside = True
        for i in range(5):
            height_above = sides[i, 0] * x + sides[i, 1] * y + sides[i, 2] * z + sides[i, 3]
            inside = inside and height_above >= -sphere[3]
        if not inside:
            continue
        for i in range(3):
            for k in range(4):
                m[i, k] = (
                    camera[i, 0] * pose[0, k]
                    + camera[i, 1] * pose[1, k]
                    + camera[i, 2] * pose[2, k]
                )
            m[i, 3] += camera[i, 3]
        m00, m01, m02, m03 = m[0]
        m10, m11, m12, m13 = m[1]
        m20, m21, m22, m23 = m[2]
        start = vertex_start[instance]
        for v in range(vertex_start[instance + 1] - start):
            x, y, z = vertices[start + v]
            xw = m00 * x + m01 * y + m02 * z + m03
            yw = m10 * x + m11 * y + m12 * z + m13
            w = m20 * x + m21 * y + m22 * z + m23
            inverse = 1.0 / w
            points[v, 0], points[v, 1], points[v, 2] = xw, yw, w
            points[v, 3], points[v, 4] = xw * inverse, yw * inverse
        count = find_candidates(
            points,
            faces[face_start[instance] : face_start[instance + 1]],
            sign,
            near,
            width,
            height,
            candidates,
        )
        for candidate in range(count):
            f = face_start[instance] + candidates[candidate]
            p, q, r = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
            px, py, pw = points[p, 0], points[p, 1], points[p, 2]
            qx, qy, qw = points[q, 0], points[q, 1], points[q, 2]
            rx, ry, rw = points[r, 0], points[r, 1], points[r, 2]
            a0, b0, c0 = qy * rw - qw * ry, qw * rx - qx * rw, qx * ry - qy * rx
            volume = sign * (px * a0 + py * b0 + pw * c0)
            # The box around the part in front of the near plane: its corners are those of the
            # triangle in front, and the points where its sides pass through the plane.
            if pw >= near and qw >= near and rw >= near:
                left = min(points[p, 3], points[q, 3], points[r, 3])
                right = max(points[p, 3], points[q, 3], points[r, 3])
                top = min(points[p, 4], points[q, 4], points[r, 4])
                bottom = max(points[p, 4], points[q, 4], points[r, 4])
            else:
                left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
                before = r
                for corner in (p, q, r):
                    w0, w1 = points[before, 2], points[corner, 2]
                    if (w0 < near) != (w1 < near):
                        s = (near - w0) / (w1 - w0)
                        x = points[before, 0] + s * (points[corner, 0] - points[before, 0])
                        y = points[before, 1] + s * (points[corner, 1] - points[before, 1])
                        left, right = min(left, x / near), max(right, x / near)
                        top, bottom = min(top, y / near), max(bottom, y / near)
                    if w1 >= near:
                        x, y = points[corner, 3], points[corner, 4]
                        left, right = min(left, x), max(right, x)
                        top, bottom = min(top, y), max(bottom, y)
                    before = corner
            if not (right >= 0.0 and left <= width - 1 and bottom >= 0.0 and top <= height - 1):
                continue
            # A millionth of a pixel of slack against the rounding of the divisions above.
            first = int(left + 0.999999) if left > 0.0 else 0
            last = int(min(right + 1e-6, width - 1.0))
            upper = int(top + 0.999999) if top > 0.0 else 0
            lower = int(min(bottom + 1e-6, height - 1.0))
            if first > last or upper > lower:
                continue
            a0, b0, c0 = sign * a0, sign * b0, sign * c0
            a1, b1 = sign * (ry * pw - rw * py), sign * (rw * px - rx * pw)
            c1 = sign * (rx * py - ry * px)
            a2, b2 = sign * (py * qw - pw * qy), sign * (pw * qx - px * qw)
            c2 = sign * (px * qy - py * qx)
            scale = 1.0 / volume
            slope = (a0 + a1 + a2) * scale
            broad = last - first > 7
            if broad:
                z0 = -1.0 / a0 if a0 != 0.0 else 0.0
                z1 = -1.0 / a1 if a1 != 0.0 else 0.0
                z2 = -1.0 / a2 if a2 != 0.0 else 0.0
            else:
                z0 = z1 = z2 = 0.0
            seen = False
            for y in range(upper, lower + 1):
                e0, e1, e2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
                begin, end = first, last
                if broad:  # where the edges cross this row, rounded outwards
                    low, high = float(first), float(last)
                    cross = e0 * z0
                    if a0 > 0.0:
                        low = max(low, cross)
                    elif a0 < 0.0:
                        high = min(high, cross)
                    cross = e1 * z1
                    if a1 > 0.0:
                        low = max(low, cross)
                    elif a1 < 0.0:
                        high = min(high, cross)
                    cross = e2 * z2
                    if a2 > 0.0:
                        low = max(low, cross)
                    elif a2 < 0.0:
                        high = min(high, cross)
                    if not low <= high + 1.0:
                        continue
                    begin, end = int(low), min(last, int(high) + 1)
                    # Rounding keeps an edge function monotonic: what passes is one run of pixels.
                    while begin <= end and (
                        a0 * begin + e0 < 0.0 or a1 * begin + e1 < 0.0 or a2 * begin + e2 < 0.0
                    ):
                        begin += 1
                    while begin <= end and (
                        a0 * end + e0 < 0.0 or a1 * end + e1 < 0.0 or a2 * end + e2 < 0.0
                    ):
                        end -= 1
                    if begin > end:
                        continue
                    total = (e0 + e1 + e2) * scale + slope * begin
                    depths = inverse_depth[y, begin : end + 1]
                    if marking:
                        owners = owner[y, begin : end + 1]
                        face = np.int32(f)
                        for x in range(len(depths)):  # without a branch, so that it vectorises
                            value, old = np.float32(slope * x + total), depths[x]
                            first_come = (value == old) & (face < owners[x])
                            nearer = ((value > old) | first_come) & (value <= largest)
                            depths[x] = value if nearer else old
                            owners[x] = face if nearer else owners[x]
                        seen = True
                    else:
                        for x in range(len(depths)):
                            value, old = np.float32(slope * x + total), depths[x]
                            nearer = (value > old) & (value <= largest)
                            depths[x] = value if nearer else old
                    continue
                for x in range(begin, end + 1):
                    i, j, k = a0 * x + e0, a1 * x + e1, a2 * x + e2
                    value, old = np.float32((i + j + k) * scale), inverse_depth[y, x]
                    inside = (i >= 0.0) & (j >= 0.0) & (k >= 0.0)
                    nearer = value > old
                    if marking:
                        nearer |= (value == old) & (f < owner[y, x])
                        nearer &= inside & (value <= largest)
                        owner[y, x] = f if nearer else owner[y, x]
                        seen |= nearer
                    else:
                        nearer &= inside & (value <= largest)
                    inverse_depth[y, x] = value if nearer else old
            if seen:
                edges[f, 0], edges[f, 1], edges[f, 2] = a0 * scale, b0 * scale, c0 * scale
                edges[f, 3], edges[f, 4], edges[f, 5] = a1 * scale, b1 * scale, c1 * scale
                edges[f, 6], edges[f, 7], edges[f, 8] = a2 * scale, b2 * scale, c2 * scale


@njit("void(f8[:,::1], i8[::1], f8[:,:,::1], f8[:,:,::1])", error_model="numpy")
@no_type_check
def pose_instances(
    links,  # (l, 7) world position and x, y, z, w quaternion of every link
    link_of,  # (n,) the link an instance belongs to
    frames,  # (n, 4, 4) the instance in its link's frame
    poses,  # (n, 4, 4) out: the instance in the world
):
    rotation = np.empty((3, 3))
    for n in range(len(link_of)):
        link, frame, pose = links[link_of[n]], frames[n], poses[n]
        x, y, z, w = link[3], link[4], link[5], link[6]
        s = 2.0 / (x * x + y * y + z * z + w * w)
        rotation[0, 0], rotation[0, 1] = 1.0 - s * (y * y + z * z), s * (x * y - z * w)
        rotation[0, 2], rotation[1, 0] = s * (x * z + y * w), s * (x * y + z * w)
        rotation[1, 1], rotation[1, 2] = 1.0 - s * (x * x + z * z), s * (y * z - x * w)
        rotation[2, 0], rotation[2, 1] = s * (x * z - y * w), s * (y * z + x * w)
        rotation[2, 2] = 1.0 - s * (x * x + y * y)
        for i in range(3):
            for k in range(4):
                pose[i, k] = (
                    rotation[i, 0] * frame[0, k]
                    + rotation[i, 1] * frame[1, k]
                    + rotation[i, 2] * frame[2, k]
                )
            pose[i, 3] += link[i]
        pose[3, 0] = pose[3, 1] = pose[3, 2] = 0.0
        pose[3, 3] = 1.0
