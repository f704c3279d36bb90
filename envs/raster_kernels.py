"""The compiled loops of the rasteriser: which triangle covers a pixel, and its colour there.

Triangles are drawn in homogeneous coordinates (Olano & Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997): with corners P = (x w, y w, w), pixel coordinates x, y and depth w,
the cross products of two corners are edge functions that hold on both sides of the camera. So no
triangle is ever clipped: one that passes behind the camera is tested pixel by pixel like any other,
and the same three numbers are its perspective-correct barycentric coordinates times 1/depth.

Two triangles that share an edge compute exactly opposite edge functions there, so there are no
cracks. Everything is evaluated in a fixed order without fast-math: equal input, equal bits.
"""

from typing import no_type_check

import numpy as np
from numba import njit


@njit(
    "void(f4[:,::1], i4[:,::1], i8[::1], i8[::1], f8[:,::1], f8[:,:,::1], b1[::1], f8[:,::1], f8,"
    " f8, f8, f8[:,::1], f8[:,::1], f4[:,::1], i4[:,::1])",
    cache=True,
    error_model="numpy",
)
@no_type_check
def cover(
    vertices,  # (v, 3) of all meshes, each in its own frame
    faces,  # (f, 3) of all meshes, each face's vertices counted from its mesh's first
    vertex_start,  # (n + 1,) instance i has vertices [vertex_start[i], vertex_start[i + 1])
    face_start,  # (n + 1,)
    spheres,  # (n, 4) centre and radius of a sphere around each mesh, in its frame
    poses,  # (n, 4, 4) mesh frame -> world
    shown,  # (n,)
    camera,  # (3, 4) world -> (x w, y w, w), with pixel centres at whole x and y
    facing,  # 1 draws the faces that look at the camera, -1 those that look away
    near,  # metres
    far,  # metres
    points,  # scratch for the largest mesh: x w, y w, w, x, y of every vertex
    edges,  # (f, 9) out: a x + b y + c, a corner's barycentric weight / depth, for three
    inverse_depth,  # (h, w) out: 1 / depth, 1 / far where nothing is
    owner,  # (h, w) out: the face seen, -1 for none; (0, 0) to leave out owner and edges
):
    height, width = inverse_depth.shape
    marking = owner.shape[0] > 0
    inverse_depth[:] = 1.0 / far
    owner[:] = -1
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
    for instance in range(len(shown)):
        if not shown[instance]:
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
        for f in range(face_start[instance], face_start[instance + 1]):
            p, q, r = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
            px, py, pw = points[p, 0], points[p, 1], points[p, 2]
            qx, qy, qw = points[q, 0], points[q, 1], points[q, 2]
            rx, ry, rw = points[r, 0], points[r, 1], points[r, 2]
            a0, b0, c0 = qy * rw - qw * ry, qw * rx - qx * rw, qx * ry - qy * rx
            volume = sign * (px * a0 + py * b0 + pw * c0)
            if not volume > 0.0:
                continue
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
                        for x in range(len(depths)):  # without a branch, so that it vectorises
                            value, old = np.float32(slope * x + total), depths[x]
                            nearer = (value > old) & (value <= largest)
                            depths[x] = value if nearer else old
                            owners[x] = f if nearer else owners[x]
                        seen = True
                    else:
                        for x in range(len(depths)):
                            value, old = np.float32(slope * x + total), depths[x]
                            nearer = (value > old) & (value <= largest)
                            depths[x] = value if nearer else old
                    continue
                for x in range(begin, end + 1):
                    i, j, k = a0 * x + e0, a1 * x + e1, a2 * x + e2
                    if i >= 0.0 and j >= 0.0 and k >= 0.0:
                        value = np.float32((i + j + k) * scale)
                        if value > inverse_depth[y, x] and value <= largest:
                            inverse_depth[y, x] = value
                            if marking:
                                owner[y, x] = f
                                seen = True
            if seen:
                edges[f, 0], edges[f, 1], edges[f, 2] = a0 * scale, b0 * scale, c0 * scale
                edges[f, 3], edges[f, 4], edges[f, 5] = a1 * scale, b1 * scale, c1 * scale
                edges[f, 6], edges[f, 7], edges[f, 8] = a2 * scale, b2 * scale, c2 * scale


@njit(
    "void(f4[:,::1], i4[:,::1], f8[:,::1], i4[::1], f4[:,:,::1], f4[:,:,::1], f4[::1], f8[:,::1],"
    " f8[:,:,::1], u4[::1], i8[:,::1], f8[::1], f8, f8[:,::1], f4[:,::1], u1[::1],"
    " i4[::1], u1[:,:,::1], f4[:,::1], i4[:,::1])",
    cache=True,
    error_model="numpy",
)
@no_type_check
def shade(
    inverse_depth,  # (h, w) from cover
    owner,  # (h, w) from cover
    edges,  # (f, 9) from cover
    face_instance,  # (f,)
    normals,  # (f, 3, 3) unit, a normal per corner, in the mesh's frame
    uv,  # (f, 3, 2) texture coordinates per corner
    texels,  # (f,) texels of the finest level per metre of surface
    colors,  # (n, 3) in 0..1
    poses,  # (n, 4, 4) mesh frame -> world
    atlas,  # all texture levels, row by row, finest first; a texel is red + green << 8 + blue << 16
    textures,  # (n, 4) where in the atlas (-1: none), log2 width, log2 height, number of levels
    light,  # (7,) ambient, how much more of it from above, diffuse, its share in shadow, direction
    pixel,  # size of a pixel in metres at one metre of depth
    to_shadow,  # (3, 4): shadow map (x w, y w, w) = depth * (rows[:3] . (x, y, 1)) + rows[3]
    shadow,  # (s, s) 1 / depth of the nearest back faces seen from the light; s = 0 for none
    background,  # (3,)
    ids,  # (n,)
    rgb,  # (h, w, 3) out
    depth,  # (h, w) out
    segmentation,  # (h, w) out
):
    height, width = owner.shape
    last = shadow.shape[0] - 1
    ambient, from_above, diffuse = light[0], light[1], light[2]
    blocking, lx, ly, lz = 1.0 - light[3], light[4], light[5], light[6]
    # What the loop needs lives in scalars: the compiler must assume that storing a pixel may
    # change any array.
    m00, m01, m02, m03 = to_shadow[0, 0], to_shadow[0, 1], to_shadow[0, 2], to_shadow[0, 3]
    m10, m11, m12, m13 = to_shadow[1, 0], to_shadow[1, 1], to_shadow[1, 2], to_shadow[1, 3]
    m20, m21, m22, m23 = to_shadow[2, 0], to_shadow[2, 1], to_shadow[2, 2], to_shadow[2, 3]
    before, instance = -1, -1
    a0 = a1 = a2 = c0 = c1 = c2 = 0.0
    sx = sy = sz = ux = uy = uz = 0.0
    sky0 = sky1 = sky2 = sun0 = sun1 = sun2 = 0.0
    u0 = u1 = u2 = v0 = v1 = v2 = density = slope = red = green = blue = 0.0
    origin = wide0 = high0 = levels = 0
    seen = -1
    for y in range(height):
        before = -1
        row0, row1, row2 = m01 * y + m02, m11 * y + m12, m21 * y + m22
        for x in range(width):
            f = owner[y, x]
            distance = 1.0 / inverse_depth[y, x]
            depth[y, x] = distance
            if f < 0:
                segmentation[y, x] = -1
                rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2] = background
                continue
            if f != before:  # a run of pixels of one face shares what does not vary on it
                before = f
                a0, a1, a2 = edges[f, 0], edges[f, 3], edges[f, 6]
                c0 = edges[f, 1] * y + edges[f, 2]
                c1 = edges[f, 4] * y + edges[f, 5]
                c2 = edges[f, 7] * y + edges[f, 8]
                if face_instance[f] != instance:
                    instance = face_instance[f]
                    seen = ids[instance]
                    red, green, blue = colors[instance]
                    origin, wide0, high0, levels = textures[instance]
                    pose = poses[instance]
                    sx = lx * pose[0, 0] + ly * pose[1, 0] + lz * pose[2, 0]  # in the mesh's frame
                    sy = lx * pose[0, 1] + ly * pose[1, 1] + lz * pose[2, 1]
                    sz = lx * pose[0, 2] + ly * pose[1, 2] + lz * pose[2, 2]
                    ux, uy, uz = pose[2, 0], pose[2, 1], pose[2, 2]
                n = normals[f]
                sun0 = n[0, 0] * sx + n[0, 1] * sy + n[0, 2] * sz
                sun1 = n[1, 0] * sx + n[1, 1] * sy + n[1, 2] * sz
                sun2 = n[2, 0] * sx + n[2, 1] * sy + n[2, 2] * sz
                sky0 = ambient + from_above * (n[0, 0] * ux + n[0, 1] * uy + n[0, 2] * uz)
                sky1 = ambient + from_above * (n[1, 0] * ux + n[1, 1] * uy + n[1, 2] * uz)
                sky2 = ambient + from_above * (n[2, 0] * ux + n[2, 1] * uy + n[2, 2] * uz)
                if origin >= 0:
                    u0, u1, u2 = uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0]
                    v0, v1, v2 = uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]
                    density = (texels[f] * pixel) ** 2
                    b = edges[f, 1] + edges[f, 4] + edges[f, 7]
                    slope = np.sqrt((a0 + a1 + a2) ** 2 + b * b) / pixel
            segmentation[y, x] = seen
            b0, b1, b2 = (
                (a0 * x + c0) * distance,
                (a1 * x + c1) * distance,
                (a2 * x + c2) * distance,
            )
            bright = b0 * sky0 + b1 * sky1 + b2 * sky2
            sun = b0 * sun0 + b1 * sun1 + b2 * sun2
            if sun > 0.0:
                if last > 0:
                    inverse = 1.0 / (distance * (m20 * x + row2) + m23)
                    across = (distance * (m00 * x + row0) + m03) * inverse
                    down = (distance * (m10 * x + row1) + m13) * inverse
                    if 0.0 <= across < last and 0.0 <= down < last:
                        i, j = int(across), int(down)
                        p, q = across - i, down - j
                        limit = inverse * 1.0001  # this much closer to the light than the surface
                        blocked = 0.0
                        if shadow[j, i] > limit:
                            blocked += (1.0 - p) * (1.0 - q)
                        if shadow[j, i + 1] > limit:
                            blocked += p * (1.0 - q)
                        if shadow[j + 1, i] > limit:
                            blocked += (1.0 - p) * q
                        if shadow[j + 1, i + 1] > limit:
                            blocked += p * q
                        sun *= 1.0 - blocked * blocking
                bright += diffuse * sun
            if origin < 0:
                bright *= 255.0
                rgb[y, x, 0] = int(min(red * bright, 255.0) + 0.5)
                rgb[y, x, 1] = int(min(green * bright, 255.0) + 0.5)
                rgb[y, x, 2] = int(min(blue * bright, 255.0) + 0.5)
                continue
            # The texture level whose texels cover about as much as the pixel does, stretched by
            # the slope of the surface; bilinear in it.
            footprint = density * distance * distance * max(1.0, slope * distance)
            start, wide, high, level = origin, wide0, high0, 1
            while footprint > 2.0 and level < levels:
                start += 1 << (wide + high)
                footprint *= 0.25
                level += 1
                wide -= 1
                high -= 1
            columns, rows = 1 << wide, 1 << high
            # In 256ths of a texel; the offset makes truncation a floor down to -4096 tiles.
            tu = int((b0 * u0 + b1 * u1 + b2 * u2 + 4096.0) * (256.0 * columns)) - 128
            tv = int((4096.0 - b0 * v0 - b1 * v1 - b2 * v2) * (256.0 * rows)) - 128
            p, q = tu & 255, tv & 255
            i, j = (tu >> 8) & (columns - 1), (tv >> 8) & (rows - 1)
            i1, j0, j1 = (i + 1) & (columns - 1), start + (j << wide), (j + 1) & (rows - 1)
            j1 = start + (j1 << wide)
            t00, t01 = np.int64(atlas[j0 + i]), np.int64(atlas[j0 + i1])
            t10, t11 = np.int64(atlas[j1 + i]), np.int64(atlas[j1 + i1])
            w11 = (p * q) >> 8
            w01, w10 = p - w11, q - w11
            w00 = 256 - p - w10
            # Red and blue together: the products of 8-bit lanes with weights that sum to 256 fit.
            outer = (
                (t00 & 0xFF00FF) * w00
                + (t01 & 0xFF00FF) * w01
                + (t10 & 0xFF00FF) * w10
                + (t11 & 0xFF00FF) * w11
            )
            middle = (
                (t00 & 0xFF00) * w00
                + (t01 & 0xFF00) * w01
                + (t10 & 0xFF00) * w10
                + (t11 & 0xFF00) * w11
            )
            bright *= 1.0 / 256.0
            rgb[y, x, 0] = int(min(red * bright * (outer & 0xFFFF), 255.0) + 0.5)
            rgb[y, x, 1] = int(min(green * bright * (middle >> 8), 255.0) + 0.5)
            rgb[y, x, 2] = int(min(blue * bright * (outer >> 16), 255.0) + 0.5)


@njit("void(f8[:,::1], i8[::1], f8[:,:,::1], f8[:,:,::1])", cache=True, error_model="numpy")
@no_type_check
def place(
    links,  # (l, 7) world position and x, y, z, w quaternion of every link
    link_of,  # (n,) the link an instance belongs to
    frames,  # (n, 4, 4) the instance in its link's frame
    poses,  # (n, 4, 4) out: the instance in the world
):
    turn = np.empty((3, 3))
    for n in range(len(link_of)):
        link, frame, pose = links[link_of[n]], frames[n], poses[n]
        x, y, z, w = link[3], link[4], link[5], link[6]
        s = 2.0 / (x * x + y * y + z * z + w * w)
        turn[0, 0], turn[0, 1] = 1.0 - s * (y * y + z * z), s * (x * y - z * w)
        turn[0, 2], turn[1, 0] = s * (x * z + y * w), s * (x * y + z * w)
        turn[1, 1], turn[1, 2] = 1.0 - s * (x * x + z * z), s * (y * z - x * w)
        turn[2, 0], turn[2, 1] = s * (x * z - y * w), s * (y * z + x * w)
        turn[2, 2] = 1.0 - s * (x * x + y * y)
        for i in range(3):
            for k in range(4):
                pose[i, k] = (
                    turn[i, 0] * frame[0, k] + turn[i, 1] * frame[1, k] + turn[i, 2] * frame[2, k]
                )
            pose[i, 3] += link[i]
        pose[3, 0] = pose[3, 1] = pose[3, 2] = 0.0
        pose[3, 3] = 1.0
